import { type ExecFileException, execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { JWS_TYP, type JwsTyp, signJws } from '@outrider/crypto';
import { createTestFleet, issueService, type Party, type TestFleet } from '@outrider/testing';

/** Runs the built program against a TLS server that answers as the test says, and against files. */
const home = mkdtempSync(join(tmpdir(), 'outrider-cli-telemetry-'));
const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const asked: { url: string | undefined; accept: string | undefined; lastEventId: unknown; body: string }[] = [];
let answers: string[] = [];
let fleet: TestFleet;
let telemetry: Party;
let server: Server;

const file = (name: string, text: string): string => {
  writeFileSync(join(home, name), text);
  return join(home, name);
};

beforeAll(async () => {
  fleet = await createTestFleet();
  telemetry = await issueService(fleet, 'telemetry');
  const cert = telemetry.certificatePem + fleet.infrastructureCa.certificatePem;
  server = createServer({ key: telemetry.privateKeyPem, cert }, async (request, response) => {
    const { url, headers } = request;
    const body = (await request.toArray()).join('');
    asked.push({ url, accept: headers.accept, lastEventId: headers['last-event-id'], body });
    response.writeHead(200, { 'content-type': headers.accept ?? '' }).end(answers.shift() ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const operator = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const root = file('root.pem', fleet.root.certificatePem);
  const endpoints = {
    trust: { server: root, fleetRoot: root },
    services: { telemetry: { operator } },
    operator: { tokenFile: file('token', 'the-token\n') },
  };
  file('endpoints.json', JSON.stringify(endpoints));
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(home, { recursive: true });
});

function outrider(...args: string[]): Promise<{ exit: number; out: string; err: string }> {
  const env = { PATH: process.env.PATH ?? '', OUTRIDER_HOME: home, INIT_CWD: home };
  return new Promise((resolve) =>
    execFile(process.execPath, [MAIN, 'telemetry', ...args], { env }, (error: ExecFileException | null, out, err) =>
      resolve({ exit: error ? Number(error.code) : 0, out, err }),
    ),
  );
}

const sse = (event: string, data: object, id?: string) =>
  `${id ? `id: ${id}\n` : ''}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
const record = (seq: number) => ({
  device_id: 'device-1',
  seq,
  ts: 1_763_800_000,
  telemetry: { speed: 42.5, at: [1] },
});

describe('what the service streams', () => {
  it('list: a line a record, of a range', async () => {
    answers = [`${JSON.stringify(record(1))}\n${JSON.stringify({ ...record(2), telemetry: { line: 'a\u2028b' } })}\n`];
    const range = ['--from', '2026-11-22T00:00:00Z', '--to', '2026-11-23T00:00:00Z'];
    const { exit, out } = await outrider('list', '--device', 'device-1', ...range);
    expect(exit).toBe(0);
    expect(out.split('\n')).toHaveLength(3);
    expect(out).toContain('2025-11-22T08:26:40.000Z  device-1  #1  speed=42.5  at=[1]');
    const query = 'from=2026-11-22T00%3A00%3A00.000Z&to=2026-11-23T00%3A00%3A00.000Z&limit=100&source=all&view=decoded';
    expect(asked.at(-1)).toMatchObject({
      url: `/v1/devices/device-1/telemetry?${query}`,
      accept: 'application/x-ndjson',
    });
  });

  it('tail: goes on behind the last record when the token has expired', async () => {
    const expired = { code: 'auth.token_expired', title: 'expired' };
    answers = [sse('record', record(1), 'c1') + sse('error', expired), sse('record', record(2), 'c2')];
    const { exit, out } = await outrider('tail', '--device', 'device-1', '--count', '2', '--json');
    expect(exit).toBe(0);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).seq),
    ).toEqual([1, 2]);
    expect(asked.at(-1)).toMatchObject({ lastEventId: 'c1', accept: 'text/event-stream' });
    answers = [sse('error', { code: 'denylist.token', title: 'withdrawn' })];
    expect(await outrider('tail', '--device', 'device-1')).toMatchObject({
      exit: 1,
      err: 'denylist.token: withdrawn\n',
    });
  });

  it('verify: succeeds where everything stands, fails and names what does not, or when it is cut off', async () => {
    const logs = { deliveries: 0, segments: 0, faulty: 0, unanchored: 0 };
    const good = { ok: true, checked: 2, verified: 2, faulty: 0, logs };
    answers = [sse('progress', { checked: 2, verified: 2, faulty: 0, total: 2 }) + sse('summary', good)];
    expect(await outrider('verify', '--device', 'device-1')).toMatchObject({ exit: 0, out: '2 checked, 0 faulty\n' });
    const fault = { stream: 'main', epoch: 0, seq: 7, log: null, fault: 'bad_signature' };
    answers = [sse('fault', fault) + sse('summary', { ok: false, checked: 2, verified: 1, faulty: 1, logs })];
    const bad = await outrider('verify', '--device', 'device-1');
    expect(bad).toMatchObject({ exit: 1, out: expect.stringContaining('bad_signature  main  epoch 0  #7') });
    answers = [sse('progress', { checked: 1, verified: 1, faulty: 0, total: 2 })];
    expect(await outrider('verify', '--device', 'device-1')).toMatchObject({ exit: 1 });
    const place = { order: 'o', log: 'log-1', segment: 2 };
    const broken = { stream: null, epoch: null, seq: null, log: place, fault: 'chain_broken' };
    const some = { deliveries: 1, segments: 3, faulty: 1, unanchored: 4 };
    answers = [sse('fault', broken) + sse('summary', { ...good, ok: false, logs: some })];
    expect(await outrider('verify', '--device', 'device-1')).toMatchObject({
      exit: 1,
      out: 'chain_broken  log log-1  segment 2\n2 checked, 0 faulty; 3 segments of 1 offline logs, 1 faulty; 4 records are unanchored\n',
      err: expect.stringContaining('0 of 2 records, 1 parts of offline logs do not stand'),
    });
  });

  it('stats: streams, verdicts and latency', async () => {
    const streams = [{ stream: 'main', epoch: 0, accepted: 3, missing: 1 }];
    answers = [JSON.stringify({ verdicts: { accepted: 3, replayed: 1 }, latency_ms: { p50: 12, p99: 30 }, streams })];
    const { exit, out } = await outrider('stats', '--device', 'device-1');
    expect(exit).toBe(0);
    expect(out).toMatch(/main\s+0\s+3\s+1/);
    expect(out).toMatch(/replayed\s+1/);
  });
});

function signed(payload: object, typ: JwsTyp): string {
  const x5c = [telemetry, fleet.infrastructureCa].map((one) => Buffer.from(one.certificate.der).toString('base64'));
  return signJws({ header: { typ, x5c }, payload: JSON.stringify(payload), key: telemetry.privateKey });
}

describe('epochs and findings', () => {
  it('epoch: lists who is held page by page, opens for one, some or all, and shows the history', async () => {
    const held = (device_id: string) => ({ device_id, epoch: 3, known_epoch: 4 });
    answers = [
      JSON.stringify({ items: [held('device-1')], next: 'device-1' }),
      JSON.stringify({ items: [held('device-2')], next: null }),
    ];
    const listed = await outrider('epoch', 'list-held');
    expect(listed).toMatchObject({
      exit: 0,
      out: 'device-1  epoch 3  known up to epoch 4\ndevice-2  epoch 3  known up to epoch 4\n',
    });
    expect(asked.slice(-2).map(({ url }) => url)).toEqual([
      '/v1/epochs/held?limit=1000',
      '/v1/epochs/held?after=device-1&limit=1000',
    ]);
    const reason = ['--reason', 'restored'];
    for (const [args, url, body] of [
      [['--device', 'device-1'], '/v1/devices/device-1/epoch', { reason: 'restored' }],
      [['--device', 'a1b', '--device', 'a2b'], '/v1/epochs', { devices: ['a1b', 'a2b'], reason: 'restored' }],
      [['--held'], '/v1/epochs', { devices: 'held', reason: 'restored' }],
    ] as const) {
      answers = [JSON.stringify({ device_id: 'device-1', min_epoch: 5, opened: 2 })];
      expect(await outrider('epoch', 'open', ...args, ...reason)).toMatchObject({ exit: 0 });
      expect({ url: asked.at(-1)!.url, body: JSON.parse(asked.at(-1)!.body) }).toEqual({ url, body });
    }
    expect(await outrider('epoch', 'open', ...reason)).toMatchObject({ exit: 2 });
    expect(await outrider('epoch', 'open', '--held', '--device', 'device-1', ...reason)).toMatchObject({ exit: 2 });
    const order = { min_epoch: 5, former_epoch: 4, ordered_at: 'then', ordered_by: 'op:1', reason: 'restored' };
    const lost = { stream: 'main', epoch: 4, seq: 77, found_at: 'then' };
    answers = [
      JSON.stringify({ device_id: 'd', epoch: 4, min_epoch: 5, held: false, orders: [order], rollbacks: [lost] }),
    ];
    expect((await outrider('epoch', 'show', '--device', 'device-1')).out).toMatch(/op:1\s+restored[\s\S]*77/);
  });

  it('finding: what was noticed of a device', async () => {
    const found = { found_at: 'then', kind: 'replayed', stream: 'main', epoch: 0, seq: 7, detail: 'another record' };
    answers = [JSON.stringify({ items: [found] })];
    const { exit, out } = await outrider('finding', 'list', '--device', 'device-1');
    expect({ exit, url: asked.at(-1)!.url }).toEqual({ exit: 0, url: '/v1/devices/device-1/telemetry/findings' });
    expect(out).toMatch(/then\s+replayed\s+main\s+0\s+7\s+another record/);
  });
});

describe('evidence, offline', () => {
  it('receipts: as a JWS, in an answer, or one a line; by the fleet root alone', async () => {
    const sha256 = 'ab'.repeat(32);
    const results = [{ seq: 7, stream: 'main', epoch: 0, sha256, verdict: 'accepted' }];
    const issued_at = new Date().toISOString();
    const receipt = { v: 1, device_id: 'device-1', issued_at, body_sha256: sha256, thumbprint: 't', results };
    const compact = signed(receipt, JWS_TYP.receipt);
    const answer = JSON.stringify({ results: [], receipt: compact });
    for (const text of [compact, `${compact}\n`, answer, `${answer}\n${answer}\n`]) {
      const { exit, out } = await outrider('verify-receipt', file('receipt', text));
      expect(out).toMatch(/7\s+main\s+0\s+accepted\s+abab/);
      expect(exit).toBe(0);
    }
    const other = file('other.pem', (await createTestFleet()).root.certificatePem);
    for (const [text, trust] of [
      [compact, other],
      [compact.slice(0, -4), join(home, 'root.pem')],
      [signed(receipt, JWS_TYP.export), join(home, 'root.pem')],
      ['', join(home, 'root.pem')],
    ] as const) {
      expect(await outrider('verify-receipt', file('receipt', text), '--trust', trust)).toMatchObject({ exit: 1 });
    }
  });

  it('exports: saved as they come, judged afterwards', async () => {
    const made_at = new Date().toISOString();
    const head = { v: 1, device_id: 'device-1', from: null, to: made_at, made_at };
    const line = `${JSON.stringify({ type: 'export', ...head })}\n`;
    const sha256 = createHash('sha256').update(line).digest('hex');
    const jws = signed({ ...head, records: 0, certificates: [], sha256 }, JWS_TYP.export);
    answers = [`${line}${JSON.stringify({ type: 'manifest', jws })}\n`];
    const saved = await outrider('export', '--device', 'device-1', '--out', 'export.ndjson');
    expect(saved).toMatchObject({ exit: 0, out: expect.stringContaining('sha256') });
    const out = join(home, 'export.ndjson');
    expect(await outrider('verify-export', out)).toMatchObject({ exit: 0, err: '' });
    writeFileSync(out, readFileSync(out, 'utf8').replace('device-1', 'device-2'));
    const forged = await outrider('verify-export', out, '--json');
    expect(forged.exit).toBe(1);
    expect(JSON.parse(forged.out)).toMatchObject({ ok: false, manifestFault: expect.stringMatching(/./) });
  });
});
