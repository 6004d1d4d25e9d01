import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { type Answer, type Suite, send, startSuite, until } from '../est/suite.fixture.js';
import { Imports } from './imports.repository.js';

let suite: Suite;
let admin: pg.Client;

beforeAll(async () => {
  suite = await startSuite();
  admin = await suite.database.admin();
}, 60_000);

afterAll(async () => {
  await admin?.end();
  await suite?.stop();
});

type Parsed = Answer & { readonly json: Record<string, unknown> };

async function call(method: string, path: string, body?: string, type = 'text/csv', accept = '*/*'): Promise<Parsed> {
  const authorization = `Bearer ${suite.operatorToken('device:read device:write')}`;
  const headers = { authorization, accept, ...(body === undefined ? {} : { 'content-type': type }) };
  const url = `${suite.operatorUrl}/v1/device-imports${path}`;
  const answer = await send(suite, url, { method, headers, ...(body === undefined ? {} : { body }) });
  return { ...answer, json: accept.includes('ndjson') ? {} : JSON.parse(answer.body) };
}

const HEADER = 'device_id,manufacturer,serial_number,labels,grants';
const row = (name: string) => `${name},demo-motors,DM-${name.toUpperCase()},bulk|eu,command:receive`;
const rows = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => row(`${prefix}-${i}`));
const csv = (lines: readonly string[]) => `${[HEADER, ...lines].join('\r\n')}\r\n`;
const report = async (id: string, query = '') =>
  (await call('GET', `/${id}/lines${query}`)).json.items as Record<string, unknown>[];

describe('an import', () => {
  it('takes CSV and says of each line what became of it', async () => {
    const lines = [
      row('mix-1'),
      row('mix-1'),
      row('mix-1').replace('bulk', 'other'),
      row('mix-2').replace('demo-motors', 'nobody'),
      row('UPPER'),
      'mix-3,demo-motors,"DM-MIX-3,,',
      row('mix-4'),
    ];
    const { status, json } = await call('PUT', '/mixed', `\ufeff${csv(lines)}`);
    expect(status).toBe(200);
    const counts = { lines: 7, created: 2, existing: 1, conflicts: 1, invalid: 3, changed: 0 };
    expect(json).toMatchObject({ import_id: 'mixed', state: 'complete', ...counts, resume_from: 9 });
    expect(await report('mixed')).toEqual([
      { line: 2, status: 'created', device_id: 'mix-1' },
      { line: 3, status: 'existing', device_id: 'mix-1' },
      { line: 4, status: 'conflict', device_id: 'mix-1', code: 'provisioning.device_conflict' },
      { line: 5, status: 'invalid', device_id: 'mix-2', code: 'provisioning.manufacturer_not_found', detail: 'nobody' },
      expect.objectContaining({ line: 6, status: 'invalid', code: 'request.invalid' }),
      expect.objectContaining({ line: 7, status: 'invalid', code: 'request.malformed' }),
      { line: 8, status: 'created', device_id: 'mix-4' },
    ]);
    expect(await report('mixed', '?status=failed&limit=2')).toHaveLength(2);
    const page = await call('GET', '/mixed/lines?limit=3');
    expect((await report('mixed', `?after=${String(page.json.next)}&limit=1`))[0]).toMatchObject({ line: 5 });
    const all = await call('GET', '/mixed/lines?status=invalid', undefined, '', 'application/x-ndjson');
    expect(all.headers['content-type']).toBe('application/x-ndjson');
    expect(
      all.body
        .trim()
        .split('\n')
        .map((text) => JSON.parse(text).line),
    ).toEqual([5, 6, 7]);
  });

  it('takes NDJSON, over many transactions', async () => {
    const lines = Array.from({ length: 1234 }, (_, i) =>
      JSON.stringify({ device_id: `nd-${i}`, manufacturer: 'demo-motors', serial_number: `ND-${i}` }),
    );
    const { json } = await call('PUT', '/many', lines.join('\n'), 'application/x-ndjson');
    expect(json).toMatchObject({ state: 'complete', created: 1234, resume_from: 1235 });
    const whole = await call('GET', '/many/lines', undefined, '', 'application/x-ndjson');
    expect(whole.body.trim().split('\n')).toHaveLength(1234);
  });

  it('does no line twice, and tells a line that was changed since', async () => {
    const lines = rows('twice', 20);
    await call('PUT', '/twice', csv(lines));
    expect((await call('PUT', '/twice', csv(lines))).json).toMatchObject({ created: 20, existing: 0, lines: 20 });
    const edited = csv([...lines.with(4, row('twice-other')), row('twice-20')]);
    const again = await call('PUT', '/twice', edited);
    expect(again.json).toMatchObject({ created: 21, changed: 1, lines: 21, state: 'complete' });
    expect(await report('twice', '?status=changed')).toEqual([
      { line: 6, status: 'created', device_id: 'twice-4', changed: true, code: 'provisioning.import_line_changed' },
    ]);
    expect((await call('PUT', '/twice', csv(lines))).json).toMatchObject({ changed: 0 });
    const unmade = await send(suite, `${suite.operatorUrl}/v1/devices/twice-other`, {
      headers: { authorization: `Bearer ${suite.operatorToken('device:read')}` },
    });
    expect(unmade.status).toBe(404);
    // Under another name it is another import, of devices that are there already.
    expect((await call('PUT', '/twice-2', csv(lines))).json).toMatchObject({ created: 0, existing: 20 });
  });

  it('keeps what was committed when the connection is cut, and goes on when it is sent again', async () => {
    const lines = rows('cut', 1500);
    const text = csv(lines);
    const { hostname, port } = new URL(suite.operatorUrl);
    const socket = connect({ host: hostname, port: Number(port), ca: suite.fleet.root.certificatePem });
    const head = [
      'PUT /v1/device-imports/cut HTTP/1.1',
      `host: ${hostname}:${port}`,
      `authorization: Bearer ${suite.operatorToken('device:write')}`,
      'content-type: text/csv',
      `content-length: ${text.length}`,
    ];
    // In the middle of a line, which so far would be a good one.
    const until1100 = csv(lines.slice(0, 1100)).length + 'cut-1100,demo-motors,DM-C'.length;
    socket.write(`${head.join('\r\n')}\r\n\r\n${text.slice(0, until1100)}`);
    await until(async () => (await call('GET', '/cut')).json.created === 1000);
    expect((await call('PUT', '/cut', text)).json).toMatchObject({ code: 'provisioning.import_running' });
    socket.destroy();
    await until(async () => (await call('GET', '/cut')).json.state === 'partial');
    const { json } = await call('GET', '/cut');
    expect(json).toMatchObject({ created: 1000, invalid: 0, resume_from: 1002 });
    const again = await call('PUT', '/cut', text);
    expect(again.json).toMatchObject({ state: 'complete', created: 1500, existing: 0, invalid: 0, lines: 1500 });
  });

  it('tells each new device once, with its history', async () => {
    const { rows: told } = await admin.query(
      `SELECT count(*)::int AS n, count(DISTINCT device_id)::int AS devices, min(who) AS who, min(why) AS why
       FROM device_history WHERE device_id LIKE 'cut-%'`,
    );
    expect(told).toEqual([{ n: 1500, devices: 1500, who: expect.stringMatching(/^op:/), why: 'import cut' }]);
  });

  it('is refused whole where no line can be meant', async () => {
    const refusals: [string, string | undefined, string, number, string][] = [
      ['/bad', 'device_id,manufacturer\n', 'text/csv', 400, 'request.invalid'],
      ['/bad', csv([]), 'application/json', 415, 'request.unsupported_media_type'],
      ['/UPPER', csv([]), 'text/csv', 400, 'request.invalid'],
      ['/mixed', '{}', 'application/x-ndjson', 409, 'provisioning.import_conflict'],
      ['/mixed', `${HEADER},vin\n`, 'text/csv', 409, 'provisioning.import_conflict'],
      ['/long', '\n'.repeat(250_001) + row('x'), 'application/x-ndjson', 413, 'request.too_large'],
    ];
    for (const [path, body, type, status, code] of refusals) {
      expect(await call('PUT', path, body, type)).toMatchObject({ status, json: { code } });
    }
    expect(await call('GET', '/nothing')).toMatchObject({
      status: 404,
      json: { code: 'provisioning.import_not_found' },
    });
    const headers = { authorization: `Bearer ${suite.operatorToken('device:read')}`, 'content-type': 'text/csv' };
    const url = `${suite.operatorUrl}/v1/device-imports/x`;
    expect((await send(suite, url, { method: 'PUT', headers, body: csv([]) })).status).toBe(403);
  });

  it('is listed, and its report goes when it is old', async () => {
    const ids = async () => ((await call('GET', '')).json.items as { import_id: string }[]).map((one) => one.import_id);
    expect(await ids()).toContain('twice-2');
    await admin.query(`UPDATE device_imports SET changed_at = now() - interval '31 days' WHERE import_id = 'twice-2'`);
    const keep = { days: 30, imports: 100, lines: 1_000_000 };
    expect(await suite.app.get(Imports).removeOne(keep)).toBe('twice-2');
    expect(await suite.app.get(Imports).removeOne(keep)).toBeUndefined();
    expect(await suite.app.get(Imports).removeOne({ ...keep, lines: 1600 })).toBeDefined();
    expect(await ids()).not.toContain('twice-2');
    const left = await admin.query(`SELECT 1 FROM device_import_lines WHERE import_id = 'twice-2'`);
    expect(left.rowCount).toBe(0);
  });
});
