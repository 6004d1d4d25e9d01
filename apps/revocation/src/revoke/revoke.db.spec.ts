import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { certificateRevoked, denylistKey, deviceRevoked } from '@outrider/contracts';
import type pg from 'pg';
import { type Suite, startInstance, until, vehicle } from '../suite.fixture.js';
import { type Revoking, startRevoking } from './revoke.fixture.js';

let ground: Revoking;
let suite: Suite;
let admin: pg.Client;
let enrolled: Revoking['enrolled'];
let lastOf: Revoking['lastOf'];

beforeAll(async () => {
  ground = await startRevoking();
  ({ suite, admin, enrolled, lastOf } = ground);
}, 60_000);
afterAll(() => ground?.stop());

describe('POST /revoke', () => {
  it('denies one certificate, as curl -d sends it, and says who enforces it', async () => {
    const { ref } = await enrolled('device-one');
    const { status, body } = await suite.post('/revoke?wait=enforced', {
      serial: ref.serialNumber.toUpperCase(),
      thumbprint: '',
      reason: 'superseded',
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      revoked: [{ serial: ref.serialNumber, thumbprint: ref.thumbprint, device_id: 'device-one' }],
      reason: 'superseded',
      pending: [],
    });
    const enforcers = body.enforcedBy.map(({ instance }: { instance: string }) => instance);
    expect(enforcers).toEqual(['revocation-00000001', 'telemetry-00000001']);
    for (const { ms } of body.enforcedBy) expect(ms).toBeLessThan(1000);
    expect(lastOf(denylistKey('certificate', ref.thumbprint))).toMatchObject({ mode: 'deny', reason: 'superseded' });
    expect(lastOf(denylistKey('serial', `${ref.issuerKeyId}-${ref.serialNumber}`))).toMatchObject({ mode: 'deny' });
    const until = Date.parse(ref.notAfter) + 3660_000;
    expect(lastOf(denylistKey('certificate', ref.thumbprint))?.until).toBe(new Date(until).toISOString());
    expect(ground.instance.seen.some(({ key }) => key === denylistKey('device', 'device-one'))).toBe(false);
  });

  it('answers the same again, and changes nothing', async () => {
    const { ref } = await enrolled('device-again');
    const body = { thumbprint: ref.thumbprint, reason: 'cessationOfOperation' };
    const first = await suite.post('/revoke?wait=enforced', body);
    const second = await suite.post('/revoke', { ...body, reason: 'unspecified' }, { contentType: 'application/json' });
    const { enforcedBy: _, pending: __, ...said } = first.body;
    expect(second.body).toMatchObject(said);
    const { rowCount } = await admin.query('SELECT 1 FROM revocations WHERE thumbprint = $1', [ref.thumbprint]);
    expect(rowCount).toBe(1);
  });

  it('takes everything a compromised key touches: device, keys, other certificates, and what is renewed later', async () => {
    const first = await enrolled('device-stolen');
    const second = await enrolled('device-stolen', first.ref.thumbprint);
    const answer = await suite.post('/revoke?wait=enforced', {
      serial: first.ref.serialNumber,
      device_id: 'device-stolen',
      reason: 'key-compromise',
    });
    expect(answer.body).toMatchObject({ reason: 'keyCompromise', pending: [] });
    expect(answer.body.revoked.map((one: { thumbprint: string }) => one.thumbprint).sort()).toEqual(
      [first.ref.thumbprint, second.ref.thumbprint].sort(),
    );
    for (const { ref } of [first, second]) {
      const key = lastOf(denylistKey('key', ref.keyThumbprint));
      expect(key).toMatchObject({ mode: 'deny', reason: 'keyCompromise' });
      expect(key).not.toHaveProperty('until');
      expect(lastOf(denylistKey('certificate', ref.thumbprint))).toBeDefined();
    }
    expect(lastOf(denylistKey('device', 'device-stolen'))).toMatchObject({ mode: 'deny' });
    const late = await enrolled('device-stolen', second.ref.thumbprint);
    await until(() => lastOf(denylistKey('certificate', late.ref.thumbprint)) !== undefined);
    const again = await suite.post('/revoke', { serial: first.ref.serialNumber, reason: 'unspecified' });
    expect(again.body.reason).toBe('keyCompromise');
  });

  it('refuses names that disagree, unknown ones, unknown reasons and nothing at all, each with its code', async () => {
    const one = await enrolled('device-left');
    const other = await enrolled('device-right');
    const cases: [object | string, number, string][] = [
      [{ serial: one.ref.serialNumber, device_id: 'device-right' }, 409, 'revocation.target_conflict'],
      [{ serial: one.ref.serialNumber, thumbprint: other.ref.thumbprint }, 409, 'revocation.target_conflict'],
      [{ serial: '0badc0de' }, 404, 'revocation.certificate_unknown'],
      [{ serial: '', thumbprint: '', device_id: '' }, 400, 'revocation.target_missing'],
      [{ serial: one.ref.serialNumber, reason: 'because' }, 400, 'revocation.reason_unknown'],
      [{ serial: 'xyz' }, 400, 'request.invalid'],
      [{ serial: one.ref.serialNumber, extra: 1 }, 400, 'request.invalid'],
      ['serial=1234', 400, 'request.malformed'],
    ];
    for (const [body, status, code] of cases)
      expect(await suite.post('/revoke', body)).toMatchObject({ status, body: { code } });
    const { rowCount } = await admin.query('SELECT 1 FROM revocations WHERE device_id IN ($1, $2)', [
      'device-left',
      'device-right',
    ]);
    expect(rowCount).toBe(0);
  });

  it('needs the scope and its right content type', async () => {
    const refused = await suite.post('/revoke', { device_id: 'device-one' }, { scope: 'device:read' });
    expect(refused.status).toBe(403);
    const plain = await suite.post('/revoke', { device_id: 'device-one' }, { contentType: 'text/plain' });
    expect(plain.status).toBe(415);
  });

  it('asks fleet-ca for what it never heard of, and denies by force what nobody knows', async () => {
    const unheard = await vehicle(suite.fleet, 'device-unheard');
    suite.caClerk.certificates.push(unheard.certificate);
    const learned = await suite.post('/revoke', { serial: unheard.ref.serialNumber });
    expect(learned).toMatchObject({ status: 200, body: { revoked: [{ thumbprint: unheard.ref.thumbprint }] } });
    const forced = await suite.post('/revoke?wait=enforced', {
      serial: '0badc0de',
      reason: 'keyCompromise',
      force: true,
    });
    expect(forced).toMatchObject({ status: 200, body: { revoked: [{ serial: '0badc0de' }], pending: [] } });
    const { issuerKeyId } = unheard.ref;
    expect(lastOf(denylistKey('serial', `${issuerKeyId}-0badc0de`))).toMatchObject({ reason: 'keyCompromise' });
  });

  it('publishes events once each, and takes a device out by name', async () => {
    const stream: { subject: string; payload: Record<string, unknown> }[] = [];
    const { ref } = await enrolled('device-retired');
    const { body } = await suite.post('/revoke', { device_id: 'device-retired', reason: 'privilegeWithdrawn' });
    expect(body.revoked).toHaveLength(1);
    const client = await suite.nats.connectAs('provisioner');
    const { jetstreamManager } = await import('@nats-io/jetstream');
    const manager = await jetstreamManager(client);
    const find = async (subject: string) => {
      const found = await manager.streams.getMessage('EVENTS', { last_by_subj: subject });
      if (found) stream.push({ subject, payload: found.json() });
      return found !== null;
    };
    await until(() => find(`${deviceRevoked.subject}.device-retired`));
    await until(() => find(certificateRevoked.subject));
    expect(stream[0]?.payload).toMatchObject({ deviceId: 'device-retired', reason: 'privilegeWithdrawn' });
    expect(stream.at(-1)?.payload).toMatchObject({ ref: { thumbprint: ref.thumbprint } });
    await client.close();
  });

  it('is at a watcher long before the next heartbeat', async () => {
    const times: number[] = [];
    for (let i = 0; i < 30; i++) {
      const sentMs = performance.now();
      const name = `device-fast-${i}`;
      const { status } = await suite.post('/revoke', { device_id: name, force: true });
      expect(status).toBe(200);
      await until(() => lastOf(denylistKey('device', name)) !== undefined);
      times.push((ground.instance.seen.find(({ key }) => key === denylistKey('device', name))?.atMs ?? 0) - sentMs);
    }
    times.sort((a, b) => a - b);
    expect(times[15]).toBeLessThan(900);
    console.info(`revoke to watcher: median ${times[15]?.toFixed(1)} ms, worst ${times.at(-1)?.toFixed(1)} ms`);
  }, 60_000);
});

describe('the revocations table', () => {
  it('cannot be changed with the role of the service, nor by anyone through a statement', async () => {
    const pgModule = await import('pg');
    const { host, port, name, password, schema } = suite.database;
    const client = new pgModule.default.Client({ host, port, database: name, user: schema, password });
    await client.connect();
    for (const sql of [
      `UPDATE revocation.revocations SET reason = 'superseded'`,
      'DELETE FROM revocation.revocations',
      'TRUNCATE revocation.revocations',
      'DELETE FROM revocation.device_revocations',
    ]) {
      await expect(client.query(sql)).rejects.toMatchObject({ code: '42501' });
      await expect(admin.query(sql)).rejects.toMatchObject({ code: '42501' });
    }
    await client.end();
  });
});

describe('an instance that does not answer', () => {
  it('is named in pending with the time it fails closed', async () => {
    const deaf = await startInstance(suite.nats, 'token', 'token-0000dead', true);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { body } = await suite.post('/revoke', { device_id: 'device-deaf', force: true });
    expect(body.pending.map(({ instance }: { instance: string }) => instance)).toContain('token-0000dead');
    const failsClosedInMs = Date.parse(body.pending[0].failsClosedAt) - Date.now();
    expect(failsClosedInMs).toBeGreaterThan(55_000);
    expect(failsClosedInMs).toBeLessThanOrEqual(60_000);
    await deaf.stop();
  });
});
