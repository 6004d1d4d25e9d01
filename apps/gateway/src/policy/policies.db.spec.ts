import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jetstream } from '@nats-io/jetstream';
import { policyDecided } from '@outrider/contracts';
import { Policies } from '@outrider/platform/policy';
import { type Suite, startSuite, until } from '../suite.fixture.js';
import { BundlePublisher } from './bundle-publisher.service.js';

const SHIPPED = join(import.meta.dirname, '../../../../policies');
const ALL = 'permit (principal, action, resource);';
const JSON_BODY = { 'content-type': 'application/json' };
let suite: Suite;

beforeAll(async () => {
  suite = await startSuite();
}, 60_000);
afterAll(async () => {
  await suite?.stop();
});

const show = () => suite.call('GET', '/v1/policies', 'policy:read');
const put = (body: object, version?: number, scope = 'policy:write') =>
  suite.call('PUT', '/v1/policies', scope, body, {
    ...JSON_BODY,
    ...(version === undefined ? {} : { 'if-match': `"${version}"` }),
  });
const inForce = () => suite.app.get(Policies);
const honkless = { all: ALL, quiet: 'forbid (principal, action == Outrider::Action::"block", resource);' };
const block = {
  principal: { type: 'Operator', id: 'op:1', attributes: { roles: [], secondFactor: false, elevated: false } },
  action: 'block',
  resource: { type: 'Vehicle', id: 'device-12345', attributes: { state: 'active', attestation: 'none', labels: [] } },
  context: { local: { hour: 1, minuteOfDay: 60, weekday: 1 }, vehicle: { geofences: [], outsideGeofence: false } },
};

describe('the policies', () => {
  it('are those shipped, at first, and in force in the process that published them', async () => {
    const { status, body } = await show();
    expect(status).toBe(200);
    expect(body).toMatchObject({ version: 1, source: 'shipped', changed_by: 'gateway' });
    const file = join(SHIPPED, 'no-remote-control-while-moving.cedar');
    expect(body.policies['no-remote-control-while-moving']).toBe(readFileSync(file, 'utf8'));
    await until(() => inForce().version === 1);
    expect(inForce().decide(block)).toMatchObject({ decision: 'allow', policies: ['operators-take-out-of-service'] });
  });

  it('are changed by whoever saw the version in force, and take effect', async () => {
    const changed = await put({ policies: honkless, reason: 'no blocks tonight' }, 1);
    expect(changed).toMatchObject({
      status: 200,
      body: { version: 2, source: 'operator', reason: 'no blocks tonight' },
    });
    expect(changed.body.changed_by).toMatch(/^op:/);
    await until(() => inForce().version === 2);
    expect(inForce().decide(block)).toMatchObject({ decision: 'deny', policies: ['quiet'], version: 2 });
    const { body } = await suite.call('GET', '/v1/policies/versions', 'policy:read');
    expect(body.items).toMatchObject([{ version: 2, policies: ['all', 'quiet'] }, { version: 1 }]);
  });

  it.each<[string, object, number | undefined, number, string]>([
    [
      'an older version was seen',
      { policies: { all: ALL }, reason: 'a good reason' },
      1,
      412,
      'request.precondition_failed',
    ],
    [
      'no version was seen',
      { policies: { all: ALL }, reason: 'a good reason' },
      undefined,
      428,
      'request.precondition_required',
    ],
    ['they do not hold', { policies: { odd: 'permit' }, reason: 'a good reason' }, 2, 400, 'policy.invalid'],
    ['there is no reason', { policies: { all: ALL } }, 2, 400, 'request.invalid'],
    ['a name is no name', { policies: { 'a b': ALL }, reason: 'a good reason' }, 2, 400, 'request.invalid'],
  ])('are not changed where %s', async (_name, body, version, status, code) => {
    expect(await put(body, version)).toMatchObject({ status, body: { code } });
    expect((await show()).body.version).toBe(2);
  });

  it('need the right', async () => {
    expect((await put({ policies: { all: ALL }, reason: 'a good reason' }, 2, 'policy:read')).status).toBe(403);
    expect((await suite.call('GET', '/v1/policies', 'device:read')).status).toBe(403);
  });

  it('two changes at once: one holds', async () => {
    const body = { policies: { all: ALL }, reason: 'a good reason' };
    const answers = await Promise.all([put(body, 2), put(body, 2)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
  });

  it('no runtime role changes a version that was', async () => {
    const admin = await suite.database.admin();
    await admin.query('SET ROLE gateway');
    await expect(admin.query('DELETE FROM gateway.policy_bundles')).rejects.toThrow(/permission denied/);
    await admin.end();
  });

  it('are published again where somebody emptied the bucket', async () => {
    const connection = await suite.nats.connectAs('gateway');
    const subject = '$KV.POLICIES.in-force';
    await jetstream(connection).publish(subject, 'nonsense');
    await suite.app.get(BundlePublisher).publish(new Date());
    await inForce().look();
    expect(inForce().version).toBe(3);
    await connection.close();
  });
});

describe('a database restored from before', () => {
  it('takes over what was in force meanwhile, and goes on from there', async () => {
    const admin = await suite.database.admin();
    const versions = async () =>
      (await admin.query('SELECT max(version)::int AS last FROM gateway.policy_bundles')).rows[0].last;
    const last = await versions();
    await admin.query('SET session_replication_role = replica');
    await admin.query('DELETE FROM gateway.policy_bundles WHERE version > 1');
    expect(await versions()).toBe(1);
    await suite.app.get(BundlePublisher).publish(new Date());
    expect(await versions()).toBe(last);
    expect((await show()).body).toMatchObject({ version: last, reason: 'found in force after a restore' });
    expect((await put({ policies: { all: ALL }, reason: 'after the restore' }, last)).body.version).toBe(last + 1);
    await until(() => inForce().version === last + 1);
    await admin.end();
  });
});

describe('a start while PostgreSQL cannot do its part', () => {
  it('ends nothing: the shipped policies come once it can', async () => {
    const admin = await suite.database.admin();
    const shipped = async () =>
      (await admin.query(`SELECT 1 FROM gateway.policy_bundles WHERE source = 'shipped'`)).rowCount === 1;
    await admin.query('SET session_replication_role = replica');
    await admin.query('DELETE FROM gateway.policy_bundles');
    const database = `ALTER DATABASE "${suite.database.name}"`;
    await admin.query(`${database} SET default_transaction_read_only = on`);
    await suite.restart();
    expect(await shipped()).toBe(false);
    await admin.query(`${database} RESET default_transaction_read_only`);
    await until(shipped, 20_000);
    await admin.end();
  }, 90_000);
});

describe('a dry run', () => {
  it('says what other policies would have decided on what was decided', async () => {
    const decided = (decision: 'allow' | 'deny', id: string) => ({
      service: 'command',
      instance: 'command-00000001',
      request: { ...block, resource: { ...block.resource, id } },
      decision,
      policies: ['all'],
      errors: [],
      version: 1,
      at: new Date().toISOString(),
    });
    const connection = await suite.nats.connectAs('command');
    for (const one of [decided('allow', 'device-1'), decided('deny', 'device-2')]) {
      await jetstream(connection).publish(policyDecided('command').subject, JSON.stringify(one));
    }
    await connection.close();
    const trial = async (policies: object) =>
      (await suite.call('POST', '/v1/policies/dry-run', 'policy:read', { policies }, JSON_BODY)).body;
    await until(async () => (await trial({ all: ALL })).would_allow > 0);
    const denied = await trial(honkless);
    expect(denied.would_allow).toBe(0);
    expect(denied.changes).toContainEqual(
      expect.objectContaining({
        resource: 'device-1',
        was: { decision: 'allow', policies: ['all'] },
        would_be: { decision: 'deny', policies: ['quiet'], errors: [] },
      }),
    );
    const before = inForce().version;
    expect(await trial({ broken: 'permit' })).toMatchObject({ code: 'policy.invalid' });
    expect(inForce().version).toBe(before);
  });
});
