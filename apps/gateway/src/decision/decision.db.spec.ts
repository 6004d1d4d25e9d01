import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DECISIONS_MADE, type Decision, decisionMade } from '@outrider/contracts';
import pg from 'pg';
import { publishEvent, type Suite, startSuite, until } from '../suite.fixture.js';

let suite: Suite;
beforeAll(async () => {
  suite = await startSuite();
}, 60_000);
afterAll(async () => {
  await suite?.stop();
});

function deny(code: string, more: Partial<Decision> = {}) {
  const now = new Date().toISOString();
  const decision = {
    service: 'telemetry',
    instance: 'telemetry-00000001',
    decision: 'deny',
    code,
    listener: 'vehicle',
    action: 'POST /v1/telemetry',
    count: 1,
    since: now,
    at: now,
    ...more,
  };
  return publishEvent(suite.telemetry, decisionMade('telemetry'), decision);
}
const list = (query: string) => suite.call('GET', `/v1/decisions?${query}`, 'evidence:read');

describe('GET /v1/decisions', () => {
  it('hears every service', () => {
    expect(DECISIONS_MADE.map(({ to }) => to)).toEqual(DECISIONS_MADE.map(() => ['gateway']));
  });

  it('lists decisions newest first, by device, code and service, a page at a time', async () => {
    for (let i = 0; i < 5; i++) await deny('telemetry.replayed', { deviceId: 'device-1' as never, count: i + 1 });
    await deny('auth.token_expired', { deviceId: 'device-2' as never, detail: 'an hour ago' });
    await until(async () => (await list('')).body.items.length === 6);
    const first = (await list('device=device-1&limit=2')).body;
    expect(first.items.map(({ count }: Decision) => count)).toEqual([5, 4]);
    const second = (await list(`device=device-1&limit=3&after=${first.next}`)).body;
    expect(second.items.map(({ count }: Decision) => count)).toEqual([3, 2, 1]);
    expect(second.next).toBeNull();
    const of = async (decision: string) => (await list(`service=telemetry&decision=${decision}`)).body.items.length;
    expect([await of('deny'), await of('allow'), await of('')]).toEqual([6, 0, 6]);
    const { items } = (await list('code=auth.token_expired&service=telemetry&device=')).body;
    expect(items).toMatchObject([
      { device_id: 'device-2', decision: 'deny', detail: 'an hour ago', service: 'telemetry' },
    ]);
    expect(items[0]).not.toHaveProperty('remote_address');
    expect((await list('service=token')).body.items).toEqual([]);
  });

  it.each(['limit=0', 'limit=1001', 'after=x', 'service=nobody', 'decision=maybe', 'other=1'])(
    'refuses %s',
    async (query) => {
      expect(await list(query)).toMatchObject({ status: 400, body: { code: 'request.invalid' } });
    },
  );

  it('sets a malformed decision aside and goes on, and logs what it refuses itself', async () => {
    await deny('x'.repeat(65));
    await deny('telemetry.jump');
    await until(async () => (await list('code=telemetry.jump')).body.items.length === 1);
    const admin = await suite.database.admin();
    expect((await admin.query('SELECT 1 FROM set_aside_messages')).rowCount).toBe(1);
    await admin.end();
    expect((await suite.call('GET', '/v1/decisions', 'ca:revoke')).status).toBe(403);
    await until(async () => (await list('service=gateway&code=auth.scope_insufficient')).body.items.length > 0);
  });

  it('keeps what is logged: the role of the service cannot change it', async () => {
    const { host, port, name, password, schema } = suite.database;
    const client = new pg.Client({ host, port, database: name, user: schema, password });
    await client.connect();
    for (const sql of [
      `UPDATE gateway.decisions SET code = 'ok'`,
      'DELETE FROM gateway.decisions',
      'TRUNCATE gateway.decisions',
    ])
      await expect(client.query(sql)).rejects.toMatchObject({ code: '42501' });
    await client.end();
  });
});
