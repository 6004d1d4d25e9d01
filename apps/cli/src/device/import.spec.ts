import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestFleet, issueService } from '@outrider/testing';

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly type: string | undefined;
  readonly length: string | undefined;
  readonly body: string;
}

const SUMMARY = {
  import_id: 'x',
  state: 'complete',
  lines: 2,
  created: 2,
  existing: 0,
  conflicts: 0,
  invalid: 0,
  changed: 0,
};
const NOT_FOUND = { status: 404, body: { code: 'provisioning.import_not_found', title: 'none' } };

/** The built program against a TLS server that answers by method. */
describe('outrider device import', () => {
  const home = mkdtempSync(join(tmpdir(), 'outrider-cli-import-'));
  let answers: Record<string, { status: number; body: unknown }> = {};
  let seen: Seen[] = [];
  let server: Server;

  const file = (name: string, text: string): string => {
    writeFileSync(join(home, name), text);
    return join(home, name);
  };

  beforeAll(async () => {
    const fleet = await createTestFleet();
    const tls = await issueService(fleet, 'provisioning');
    const cert = `${tls.certificatePem}${fleet.infrastructureCa.certificatePem}`;
    server = createServer({ key: tls.privateKeyPem, cert }, async (request, response) => {
      let body = '';
      for await (const part of request) body += String(part);
      const { method, url, headers } = request;
      seen.push({ method, url, type: headers['content-type'], length: headers['content-length'], body });
      const lines = url?.includes('/lines') ? answers.lines : undefined;
      const answer = lines ?? answers[method ?? ''] ?? NOT_FOUND;
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const operator = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const trust = file('trust.pem', fleet.root.certificatePem);
    const endpoints = {
      trust: { server: trust, fleetRoot: trust },
      services: { provisioning: { operator } },
      operator: { tokenFile: file('token', 'the-token\n') },
    };
    file('endpoints.json', JSON.stringify(endpoints));
    file('two.csv', 'device_id,manufacturer,serial_number\na-1,m,1\na-2,m,2\n');
  });

  beforeEach(() => {
    seen = [];
    answers = {};
  });

  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(home, { recursive: true });
  });

  function outrider(...args: string[]): Promise<{ exit: number; out: string; err: string }> {
    const main = fileURLToPath(new URL('../main.js', import.meta.url));
    const env = { PATH: process.env.PATH ?? '', OUTRIDER_HOME: home };
    return new Promise((resolve) =>
      execFile(process.execPath, [main, 'device', ...args], { env, cwd: home }, (error, out, err) =>
        resolve({ exit: error ? Number(error.code) : 0, out, err }),
      ),
    );
  }

  it('sends the file as it is, under a name of its content, so that the same file goes on', async () => {
    answers = { PUT: { status: 200, body: SUMMARY } };
    expect((await outrider('import', 'two.csv')).exit).toBe(0);
    const [asked, put] = seen;
    expect(asked).toMatchObject({ method: 'GET', url: put?.url });
    expect(put).toMatchObject({
      method: 'PUT',
      type: 'text/csv',
      length: '53',
      body: expect.stringMatching(/^device_id,.*\na-2,m,2\n$/s),
    });
    expect(put?.url).toMatch(/^\/v1\/device-imports\/file-[0-9a-f]{32}$/);
    file('copy.csv', 'device_id,manufacturer,serial_number\na-1,m,1\na-2,m,2\n');
    await outrider('import', 'copy.csv');
    expect(seen.at(-1)?.url).toBe(put?.url);
    file('two.ndjson', '{}\n');
    await outrider('import', 'two.ndjson', '--id', 'mine');
    expect(seen.at(-1)).toMatchObject({ url: '/v1/device-imports/mine', type: 'application/x-ndjson' });
  });

  it('prints the lines that failed, and fails', async () => {
    const items = [{ line: 3, status: 'conflict', device_id: 'a-2', code: 'provisioning.device_conflict' }];
    answers = {
      GET: { status: 200, body: SUMMARY },
      PUT: { status: 200, body: { ...SUMMARY, created: 1, conflicts: 1 } },
      lines: { status: 200, body: { items, next: null } },
    };
    const { exit, out, err } = await outrider('import', 'two.csv');
    expect(exit).toBe(1);
    expect(out).toMatch(/3 +conflict +a-2 +provisioning.device_conflict/);
    expect(err).toContain('2 lines were taken before');
    expect(err).toContain('1 of 2 lines failed');
    expect(JSON.parse((await outrider('import', 'two.csv', '--json')).out)).toMatchObject({
      conflicts: 1,
      failed: items,
    });
  });

  it('sends nothing where it may not, and says what to name', async () => {
    answers = { GET: { status: 403, body: { code: 'auth.scope_insufficient', title: 'no' } } };
    expect((await outrider('import', 'two.csv')).exit).toBe(4);
    expect(seen.map(({ method }) => method)).toEqual(['GET']);
    expect((await outrider('import', 'two.txt')).exit).toBe(2);
  });

  it('lists by every filter', async () => {
    answers = { GET: { status: 200, body: { items: [{ device_id: 'a-1' }, { device_id: 'a-2' }], next: null } } };
    const filters = [
      '--label',
      'eu',
      '--label',
      'trucks',
      '--prefix',
      'a-',
      '--not-enrolled',
      '--vin',
      'V',
      '--limit',
      '2',
    ];
    expect((await outrider('list', ...filters)).exit).toBe(0);
    expect(seen[0]?.url).toBe('/v1/devices?limit=2&label=eu&label=trucks&vin=V&prefix=a-&enrolled=false');
    expect((await outrider('list', '--limit', '0')).exit).toBe(2);
    expect((await outrider('list', '--enrolled', '--not-enrolled')).exit).toBe(2);
  });
});
