/** The decision log as others take it: read along, by a SIEM from NATS, and until it is too old. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import https from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Decision, decisionMade } from '@outrider/contracts';
import { denyNow, publishEvent, type Suite, startSuite, until } from '../suite.fixture.js';
import { DecisionRetention } from './decision-retention.service.js';

const ROOT = join(import.meta.dirname, '../../../..');
const WAIT_MS = 20_000;

let suite: Suite;
beforeAll(async () => {
  suite = await startSuite();
}, 60_000);
afterAll(async () => {
  await suite?.stop();
});

function deny(code: string, more: Partial<Record<keyof Decision, unknown>> = {}) {
  const at = new Date().toISOString();
  const instance = 'telemetry-00000001';
  const where = { service: 'telemetry', instance, listener: 'vehicle', action: 'POST /v1/telemetry' };
  const decision = { ...where, decision: 'deny', code, count: 1, since: at, at, ...more };
  return publishEvent(suite.telemetry, decisionMade('telemetry'), decision);
}

const list = (query: string) => suite.call('GET', `/v1/decisions?${query}`, 'evidence:read');

/** Reads along until it is stopped. */
function readAlong(query: string, headers: Record<string, string> = {}, reader?: string) {
  const seen: { id: string; event: string; data: Record<string, unknown> }[] = [];
  const state = { status: 0, ended: false };
  const { port, token, ca } = suite.stream('evidence:read', reader);
  const request = https.get(
    {
      host: '127.0.0.1',
      port,
      ca,
      agent: false,
      path: `/v1/decisions/stream?${query}`,
      headers: { authorization: `Bearer ${token}`, ...headers },
    },
    (response) => {
      state.status = response.statusCode ?? 0;
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) {
          const of = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
          if (of('data')) seen.push({ id: of('id'), event: of('event'), data: JSON.parse(of('data')) });
        }
      });
      response.on('close', () => {
        state.ended = true;
      });
    },
  );
  request.on('error', () => undefined);
  return { seen, state, token, stop: () => request.destroy() };
}

describe('the decision log', () => {
  it('is found by certificate, token and time, with policies and latency, and as OCSF', async () => {
    const thumbprint = `${'c'.repeat(42)}A`;
    const facts = { thumbprint, tokenId: 'jti-1', policies: ['night'], latencyMs: 0.25 };
    await deny('policy.denied', { ...facts, at: '2026-01-02T00:00:00.000Z', since: '2026-01-02T00:00:00.000Z' });
    await until(async () => (await list(`thumbprint=${thumbprint}`)).body.items.length === 1, WAIT_MS);
    const [item] = (await list('token=jti-1&from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z')).body.items;
    expect(item).toMatchObject({ token_id: 'jti-1', policies: ['night'], latency_ms: 0.25, thumbprint });
    expect((await list('token=jti-1&from=2026-01-03T00:00:00Z')).body.items).toEqual([]);
    expect((await list('token=jti-1&to=2026-01-02T00:00:00Z')).body.items).toEqual([]);
    const [event] = (await list('token=jti-1&form=ocsf')).body.items;
    expect(event).toMatchObject({ class_uid: 6003, metadata: { uid: item.id }, status_code: 'policy.denied' });
    expect((await list('form=cef')).status).toBe(400);
    expect((await list('from=yesterday')).status).toBe(400);
  });

  it('is read along in order, by what one asks for, and again from where one was cut off', async () => {
    const along = readAlong('service=telemetry&device=device-1');
    await until(() => along.state.status === 200, WAIT_MS);
    await deny('telemetry.jump', { deviceId: 'device-2' });
    for (let n = 1; n <= 3; n++) await deny('telemetry.jump', { deviceId: 'device-1', count: n });
    await until(() => along.seen.length === 3, WAIT_MS);
    expect(along.seen.map(({ event, data }) => [event, data.count])).toEqual([1, 2, 3].map((n) => ['decision', n]));
    along.stop();
    const again = readAlong('service=telemetry&device=device-1&form=ocsf', { 'last-event-id': along.seen[1]!.id });
    await until(() => again.seen.length === 1, WAIT_MS);
    expect(again.seen[0]!.data).toMatchObject({ class_uid: 6003, count: 3, metadata: { uid: along.seen[2]!.id } });
    again.stop();
  });

  it('is for those who may read it, for as long', async () => {
    const along = readAlong('');
    await until(() => along.state.status === 200, WAIT_MS);
    const { jti } = JSON.parse(Buffer.from(along.token.split('.')[1]!, 'base64url').toString());
    await denyNow(suite.revocation, 'token', jti);
    await until(() => along.state.ended, WAIT_MS);
    expect(along.seen.at(-1)).toMatchObject({ event: 'error', data: { code: 'denylist.token' } });
    expect((await suite.call('GET', '/v1/decisions/stream', 'gateway:block')).status).toBe(403);
  });

  it('keeps room for others, whoever reads along how often', async () => {
    const one = `op:${randomUUID()}`;
    const many = Array.from({ length: 9 }, () => readAlong('', {}, one));
    await until(() => many.every(({ state }) => state.status !== 0), WAIT_MS);
    const count = (status: number) => many.filter(({ state }) => state.status === status).length;
    expect([count(200), count(503)]).toEqual([8, 1]);
    const other = readAlong('', {}, `op:${randomUUID()}`);
    await until(() => other.state.status === 200, WAIT_MS);
    for (const { stop } of many) stop();
    await until(async () => {
      const again = readAlong('', {}, one);
      await until(() => again.state.status !== 0, WAIT_MS);
      again.stop();
      return again.state.status === 200;
    }, WAIT_MS);
    other.stop();
  });

  it('goes to a SIEM over NATS, in the shape that it takes, and the SIEM may do nothing else', async () => {
    const { url, passwordFile } = suite.nats;
    const run = async (program: string, ...args: string[]) =>
      (await promisify(execFile)(process.execPath, [join(ROOT, program), ...args], { timeout: 25_000 })).stdout;
    const access = ['--url', url, '--password-file', passwordFile];
    await run('libs/platform/dist/nats/provision.command.js', ...access, '--siem', 'example');
    for (let n = 1; n <= 2; n++) await deny('telemetry.replayed', { deviceId: 'device-siem', count: n });
    const taken = await run('docs/examples/siem-consumer.mjs', url, passwordFile, '--count', '2');
    const events = taken
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events).toMatchObject(
      [1, 2].map((count) => ({ class_uid: 6003, severity: 'High', count, actor: { user: { uid: 'device-siem' } } })),
    );
    const { items } = (await list('device=device-siem')).body;
    expect(events.map(({ metadata }) => metadata.uid)).toEqual(items.map(({ id }: { id: string }) => id).reverse());
    const connection = await suite.nats.connectAs('siem-example');
    const refused: unknown[] = [];
    void (async () => {
      for await (const status of connection.status()) if (status.type === 'error') refused.push(status.error);
    })();
    const heard = 'siem-example-telemetry-message-accepted-v1';
    for (const subject of ['gateway.decision.logged.v1', `$JS.API.CONSUMER.MSG.NEXT.EVENTS.${heard}`])
      connection.publish(subject, '{}');
    connection.subscribe('gateway.decision.logged.v1', { callback: () => undefined });
    await until(() => refused.length >= 3, WAIT_MS);
    await connection.close();
  });

  it('ends by the rule of the owner, and by nobody before', async () => {
    const admin = await suite.database.admin();
    const old = (days: number) =>
      admin.query(
        `INSERT INTO decisions (stream_sequence, service, instance, decision, code, listener, action, count, since, at, received_at)
         SELECT 1000000 + n, 'telemetry', 'telemetry-00000001', 'deny', 'old.' || $1::int, 'vehicle', 'x', 1, now(), now(), now() - $1::int * interval '1 day'
         FROM generate_series(1, 3) n ON CONFLICT DO NOTHING`,
        [days],
      );
    // Ids go by arrival: what is old lies first.
    await admin.query('ALTER TABLE decisions ALTER COLUMN id SET GENERATED BY DEFAULT');
    await admin.query('ALTER TABLE decisions DISABLE TRIGGER decisions_append_only');
    await admin.query('UPDATE decisions SET id = id + 1000000');
    await admin.query('ALTER TABLE decisions ENABLE TRIGGER decisions_append_only');
    await admin.query('ALTER SEQUENCE decisions_id_seq RESTART WITH 1');
    await old(401);
    await admin.query('ALTER SEQUENCE decisions_id_seq RESTART WITH 2000000');
    await expect(admin.query(`DELETE FROM decisions WHERE code <> 'old.401'`)).rejects.toMatchObject({ code: '42501' });
    expect(await suite.app.get(DecisionRetention).retire()).toBe(3);
    expect((await admin.query(`SELECT 1 FROM decisions WHERE code = 'old.401'`)).rowCount).toBe(0);
    const proofs = await admin.query('SELECT row_count::int, first_id::int, last_id::int FROM retired_decisions');
    expect(proofs.rows).toEqual([{ row_count: 3, first_id: 1, last_id: 3 }]);
    expect(await suite.app.get(DecisionRetention).retire()).toBe(0);
    expect((await list('limit=1')).body.items).toHaveLength(1);
    await admin.end();
  });
});
