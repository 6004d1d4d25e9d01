import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import type pg from 'pg';
import { type Suite, send, startSuite } from '../est/suite.fixture.js';
import { DeviceSearch, searchStatement } from './device-search.js';

const DEVICES = 100_000;
let suite: Suite;
let admin: pg.Client;

/** A fleet of a hundred thousand: one in a thousand `rare`, one in two enrolled, certificates ending over the next day. */
beforeAll(async () => {
  suite = await startSuite();
  admin = await suite.database.admin();
  await admin.query(`
    INSERT INTO devices (device_id, manufacturer, serial_number, vin, labels, grants, state, holds, in_workshop, attestation,
      min_epoch, version, created_at, changed_at)
    SELECT 'car-' || lpad(i::text, 6, '0'), CASE WHEN i % 500 = 0 THEN 'small-motors' ELSE 'demo-motors' END, 'SN-' || i,
      'WVWZZZ1JZ' || lpad(i::text, 8, '0'), CASE WHEN i % 1000 = 0 THEN '{eu,rare}'::text[] ELSE '{eu}' END, '{}',
      CASE WHEN i % 1000 = 1 THEN 'quarantined' WHEN i % 2 = 0 THEN 'active' ELSE 'registered' END, '{}', false, 'none',
      0, 1, now(), now()
    FROM generate_series(0, ${DEVICES - 1}) AS i`);
  const columns: string[] = (
    await admin.query(
      `SELECT column_name FROM information_schema.columns WHERE table_name = 'certificates' AND table_schema = current_schema()
       AND is_nullable = 'NO' AND column_default IS NULL`,
    )
  ).rows.map(({ column_name }) => column_name);
  const value: Record<string, string> = {
    thumbprint: `'t' || i`,
    device_id: `'car-' || lpad(i::text, 6, '0')`,
    issuer_key_id: `'k'`,
    serial_number: `'s' || i`,
    key_thumbprint: `'k' || i`,
    not_before: 'now()',
    not_after: `now() + make_interval(secs => 3600 + i * 0.8)`,
    der: `''::bytea`,
    status: `'live'`,
    asked_by: `'f' || i`,
    operation: `'enrol'`,
    created_at: 'now()',
    label: `'default'`,
  };
  await admin.query(`
    INSERT INTO certificates (${columns.join(', ')}) SELECT ${columns.map((name) => value[name] ?? `''`).join(', ')}
    FROM generate_series(0, ${DEVICES - 1}, 2) AS i`);
  await admin.query('ANALYZE');
}, 120_000);

afterAll(async () => {
  await admin?.end();
  await suite?.stop();
});

interface Page {
  readonly items: { readonly device_id: string; readonly state: string }[];
  readonly next: string | null;
}

async function page(query: string): Promise<Page> {
  const headers = { authorization: `Bearer ${suite.operatorToken('device:read')}` };
  const answer = await send(suite, `${suite.operatorUrl}/v1/devices?${query}`, { headers });
  if (answer.status !== 200) throw new Error(answer.body);
  return JSON.parse(answer.body);
}

async function everything(query: string): Promise<string[]> {
  const ids: string[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const { items, next }: Page = await page(`limit=1000&${query}${after ? `&after=${after}` : ''}`);
    ids.push(...items.map(({ device_id }) => device_id));
    after = next;
  }
  return ids;
}

describe('a search through 100,000 devices', () => {
  test.each([
    ['label=rare', 100],
    ['label=rare&label=eu', 100],
    ['state=quarantined', 100],
    ['manufacturer=small-motors', 200],
    ['manufacturer=small-motors&state=active&label=rare', 100],
    ['vin=WVWZZZ1JZ00000042', 1],
    ['serial_number=SN-42', 1],
    ['prefix=car-0420', 100],
    ['prefix=car-0420&enrolled=true', 50],
    ['prefix=car-0420&enrolled=false', 50],
    ['prefix=nobody', 0],
  ])('%s finds %i, in order', async (query, count) => {
    const ids = await everything(query);
    expect(ids).toHaveLength(count);
    expect(ids).toEqual([...new Set(ids)].sort());
  });

  it('finds whose certificate ends soon, and not who has a later one', async () => {
    const soon = new Date(Date.now() + 3_700_000).toISOString();
    const ids = await everything(`expires_before=${soon}`);
    expect(ids.length).toBeGreaterThan(50);
    expect(ids.length).toBeLessThan(70);
    await admin.query(`UPDATE certificates SET status = 'revoked' WHERE device_id = 'car-000000'`);
    expect(await everything(`expires_before=${soon}`)).toEqual(ids.slice(1));
  });

  it('sees the whole fleet once, however many come in between', async () => {
    const first = await page('limit=1000');
    await admin.query(`UPDATE devices SET changed_at = now() WHERE device_id = 'car-000001'`);
    const second = await page(`limit=1000&after=${first.next}`);
    expect([first.items.at(-1)?.device_id, second.items[0]?.device_id]).toEqual(['car-000999', 'car-001000']);
  });

  const soon = new Date(Date.now() + 3_700_000).toISOString();
  test.each<[object, RegExp]>([
    [{}, /devices_by_id/],
    [{ after: Buffer.from('car-050000').toString('base64url') }, /devices_by_id/],
    [{ prefix: 'car-0420' }, /devices_by_id/],
    [{ label: 'rare' }, /devices_by_label/],
    [{ label: 'eu' }, /devices_by_id/],
    [{ state: 'quarantined' }, /devices_by_state/],
    [{ manufacturer: 'small-motors' }, /devices_by_manufacturer/],
    [{ vin: 'WVWZZZ1JZ00000042' }, /devices_by_vin/],
    [{ serial_number: 'SN-42' }, /devices_by_serial_number|devices_factory_identity/],
    [{ enrolled: 'true' }, /certificates_of_device_in_use/],
    [{ enrolled: 'false' }, /certificates_of_device_in_use/],
    [{ expires_before: soon }, /certificates_in_use|certificates_of_device_in_use/],
  ])('%j goes by an index', async (query, index) => {
    const { sql, parameters } = searchStatement(DeviceSearch.parse(query), new Date());
    const { rows } = await admin.query(`EXPLAIN ${sql}`, [...parameters]);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(index);
    expect(plan).not.toMatch(/Seq Scan on devices/);
  });
});
