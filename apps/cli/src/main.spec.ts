import { type ExecFileException, execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { createTestFleet, issueService, type TestFleet } from '@outrider/testing';
import { parseCertificate, validateChain } from '@outrider/x509';

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** Runs the built program against a real TLS server that answers as the test says. */
describe('outrider', () => {
  const home = mkdtempSync(join(tmpdir(), 'outrider-cli-'));
  const seen: Seen[] = [];
  let answer: { status: number; body: unknown } = { status: 200, body: {} };
  let fleet: TestFleet;
  let server: Server;

  beforeAll(async () => {
    fleet = await createTestFleet();
    const tls = await issueService(fleet, 'provisioning');
    const chain = `${tls.certificatePem}${fleet.infrastructureCa.certificatePem}`;
    server = createServer({ key: tls.privateKeyPem, cert: chain }, (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        const { method, url, headers } = request;
        seen.push({ method, url, authorization: headers.authorization, body });
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const operator = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const services = Object.fromEntries(
      ['provisioning', 'telemetry', 'command', 'revocation', 'gateway'].map((name) => [name, { operator }]),
    );
    const file = (name: string, text: string): string => {
      writeFileSync(join(home, name), text);
      return join(home, name);
    };
    file(
      'endpoints.json',
      JSON.stringify({
        trust: {
          server: file('trust.pem', fleet.root.certificatePem + fleet.infrastructureCa.certificatePem),
          fleetRoot: file('root.pem', fleet.root.certificatePem),
        },
        factory: {
          ca: file('factory-ca.crt', fleet.factoryCa.certificatePem),
          key: file('factory-ca.key', fleet.factoryCa.privateKeyPem),
        },
        services,
        operator: { tokenFile: file('token', 'the-token\n') },
      }),
    );
  });

  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(home, { recursive: true });
  });

  async function outrider(
    args: string[],
    env: Record<string, string> = { OUTRIDER_HOME: home },
  ): Promise<{ exit: number; out: string; err: string }> {
    const main = fileURLToPath(new URL('./main.js', import.meta.url));
    return new Promise((resolve) =>
      execFile(
        process.execPath,
        [main, ...args],
        { env: { PATH: process.env.PATH ?? '', ...env }, cwd: home },
        (error: ExecFileException | null, out, err) => resolve({ exit: error ? Number(error.code) : 0, out, err }),
      ),
    );
  }

  it('prints the token that the suite keeps', async () => {
    expect(await outrider(['token'])).toEqual({ exit: 0, out: 'the-token\n', err: '' });
  });

  it('lists devices over all pages, as a table and as JSON, with the token', async () => {
    answer = { status: 200, body: { items: [{ device_id: 'demo-1', state: 'active' }], next: null } };
    const { out } = await outrider(['device', 'list', '--state', 'active']);
    expect(out).toMatch(/^DEVICE +STATE/);
    expect(out).toMatch(/demo-1 +active/);
    expect(seen.at(-1)).toMatchObject({ url: '/v1/devices?limit=500&state=active', authorization: 'Bearer the-token' });
    const asJson = await outrider(['--json', 'device', 'list']);
    expect(JSON.parse(asJson.out)).toEqual({ items: [{ device_id: 'demo-1', state: 'active' }] });
  });

  it('makes a factory identity that chains to the manufacturer, key 0600, and registers it', async () => {
    answer = { status: 201, body: {} };
    const made = await outrider(['factory', 'make-device', 'device-7', '--out', 'd7'], {
      OUTRIDER_HOME: home,
      INIT_CWD: home,
    });
    expect(made).toMatchObject({ exit: 0, err: '' });
    const leaf = parseCertificate(readFileSync(join(home, 'd7', 'factory.crt'), 'utf8'));
    expect(leaf.subject.text).toContain('device-7');
    expect(leaf.subjectSerialNumber).toBe('DM-DEVICE-7');
    const path = validateChain(leaf, [], [fleet.factoryCa.certificate], { now: new Date(), purpose: 'clientAuth' });
    expect(path).toHaveLength(2);
    expect(statSync(join(home, 'd7', 'factory.key')).mode & 0o777).toBe(0o600);
    expect(JSON.parse(seen.at(-1)?.body ?? '')).toMatchObject({
      device_id: 'device-7',
      manufacturer: 'demo-motors',
      serial_number: 'DM-DEVICE-7',
      grants: ['command:receive', 'command:critical'],
    });
    const again = await outrider(['factory', 'make-device', 'device-7', '--out', 'd7'], {
      OUTRIDER_HOME: home,
      INIT_CWD: home,
    });
    expect(again).toMatchObject({ exit: 1, err: expect.stringContaining('holds a factory identity already') });
  });

  it('registers nothing with --no-register', async () => {
    const before = seen.length;
    expect((await outrider(['factory', 'make-device', 'device-8', '--out', 'd8', '--no-register'])).exit).toBe(0);
    expect(seen).toHaveLength(before);
  });

  it('sends a command with its key and parameters, and waits for the end', async () => {
    answer = { status: 202, body: { id: 'c-1', state: 'succeeded' } };
    const sent = await outrider([
      'command',
      'send',
      'demo-1',
      'honk',
      '--param',
      'times=2',
      '--idempotency-key',
      'k',
      '--wait',
    ]);
    expect(sent.exit).toBe(0);
    expect(JSON.parse(seen.at(-1)?.body ?? '')).toEqual({ name: 'honk', parameters: { times: 2 } });
    answer = { status: 202, body: { id: 'c-1', state: 'refused' } };
    expect((await outrider(['command', 'send', 'demo-1', 'honk', '--wait'])).exit).toBe(1);
    answer = { status: 202, body: { id: 'c-1', state: 'released' } };
    expect((await outrider(['command', 'send', 'demo-1', 'honk', '--wait', '1'])).exit).toBe(5);
  });

  it('exits with 5 when somebody has not confirmed a revocation', async () => {
    answer = { status: 200, body: { revoked: [], enforcedBy: [], pending: [{ instance: 'token-00000000' }] } };
    const args = ['revoke', '--device', 'demo-1', '--reason', 'key-compromise', '--wait-enforced'];
    expect((await outrider(args)).exit).toBe(5);
    expect(seen.at(-1)?.url).toBe('/revoke?wait=enforced');
    expect(JSON.parse(seen.at(-1)?.body ?? '')).toEqual({ device_id: 'demo-1', reason: 'key-compromise' });
  });

  it('asks for the reason of a revocation, and not of a dry run', async () => {
    const before = seen.length;
    expect(await outrider(['revoke', '--device', 'demo-1'])).toMatchObject({
      exit: 2,
      err: expect.stringContaining('--reason'),
    });
    expect(seen).toHaveLength(before);
    answer = { status: 200, body: { revoked: [] } };
    expect((await outrider(['revoke', '--device', 'demo-1', '--dry-run'])).exit).toBe(0);
    expect(JSON.parse(seen.at(-1)?.body ?? '')).toEqual({ device_id: 'demo-1', dry_run: true });
  });

  it('tells a certificate that is on hold from one that is revoked', async () => {
    const certificate = (serial: string, revocation_reason: string) => ({
      status: 'revoked',
      serial,
      revocation_reason,
    });
    const certificates = [certificate('0a', 'certificateHold'), certificate('0b', 'superseded')];
    answer = { status: 200, body: { device_id: 'demo-1', certificates } };
    const { out } = await outrider(['device', 'show', 'demo-1']);
    expect(out).toMatch(/^held +0a$/m);
    expect(out).toMatch(/^revoked +0b$/m);
  });

  it('names the address of who was refused without a device, and the detail, cut to fit', async () => {
    const flood = {
      code: 'tls.too_many_connections',
      remote_address: '192.0.2.7',
      count: 3,
      detail: 'of this address',
    };
    const named = { code: 'policy.denied', device_id: 'demo-1', remote_address: '192.0.2.8', detail: 'x'.repeat(100) };
    answer = { status: 200, body: { items: [flood, named], next: null } };
    const { out } = await outrider(['decisions']);
    expect(out).toMatch(/192\.0\.2\.7 +3 +of this address$/m);
    expect(out).toMatch(/ demo-1 .* x{59}…$/m);
    expect(out).not.toContain('192.0.2.8');
  });

  it('blocks what is named, for as long as is said, and shows how it came about', async () => {
    answer = { status: 200, body: { network: '192.0.2.0/24', blocked: true } };
    const until = ['--expires-in', '60', '--ticket', 'T-1', '--reason', 'flood'];
    expect((await outrider(['block', '--network', '192.0.2.7/24', ...until])).exit).toBe(0);
    const body = { network: '192.0.2.7/24', reason: 'flood', ticket: 'T-1', expires_in: 60 };
    expect(JSON.parse(seen.at(-1)?.body ?? '')).toEqual(body);
    await outrider(['unblock', '--token-id', 'jti-1', '--reason', 'over']);
    expect(JSON.parse(seen.at(-1)?.body ?? '')).toEqual({ token_id: 'jti-1', reason: 'over' });
    const item = { kind: 'network', network: '192.0.2.0/24', blocked: false, at: '2026-01-01T00:00:00Z', by: 'expiry' };
    answer = { status: 200, body: { items: [item], next: null } };
    const { out } = await outrider(['blocks', '--history', '--network', '192.0.2.0/24']);
    expect(out).toMatch(/lifted +network +192\.0\.2\.0\/24/);
    expect(seen.at(-1)?.url).toBe('/v1/blocks/history?network=192.0.2.0%2F24&limit=100');
  });

  it('shows a problem as code: title (detail), or whole with --json', async () => {
    answer = {
      status: 409,
      body: { code: 'gateway.not_blocked', title: 'The device is not blocked.', detail: 'demo-1' },
    };
    const args = ['unblock', 'demo-1', '--reason', 'found'];
    expect(await outrider(args)).toEqual({
      exit: 1,
      out: '',
      err: 'gateway.not_blocked: The device is not blocked. (demo-1)\n',
    });
    expect(JSON.parse((await outrider([...args, '--json'])).err)).toEqual(answer.body);
  });

  test.each([
    [401, 4],
    [403, 4],
    [404, 1],
    [503, 3],
  ])('a %i makes it exit with %i', async (status, exit) => {
    answer = { status, body: {} };
    expect((await outrider(['device', 'show', 'demo-1'])).exit).toBe(exit);
  });

  it('lets no device name move the cursor', async () => {
    answer = { status: 200, body: { items: [{ device_id: 'a\u001b[2Jb\nc', state: 'active' }], next: null } };
    expect((await outrider(['device', 'list'])).out).toContain('a?[2Jb?c');
  });

  test.each([
    [['nonsense'], 2],
    [['revoke', '--reason', 'superseded'], 2],
    [['block', 'demo-1', '--network', '192.0.2.1'], 2],
    [['block'], 2],
    [['blocks', '--network', '192.0.2.1'], 2],
    [['command', 'send', 'demo-1', 'honk', '--param', 'times'], 2],
    [['factory', 'make-device', 'UPPER', '--out', 'x'], 2],
    [['--help'], 0],
  ])('%j exits with %i', async (args, exit) => {
    expect((await outrider(args)).exit).toBe(exit);
  });

  it('exits with 3 where there is no suite, and says what to do', async () => {
    const { exit, err } = await outrider(['device', 'list'], { OUTRIDER_ENDPOINTS: join(home, 'nowhere.json') });
    expect(exit).toBe(3);
    expect(err).toContain('npm start');
  });

  it('believes no server that the trust file does not anchor', async () => {
    const other = await createTestFleet();
    const endpoints = JSON.parse(readFileSync(join(home, 'endpoints.json'), 'utf8'));
    endpoints.trust.server = join(home, 'other.pem');
    writeFileSync(endpoints.trust.server, other.root.certificatePem);
    writeFileSync(join(home, 'other.json'), JSON.stringify(endpoints));
    const { exit, err } = await outrider(['device', 'list'], { OUTRIDER_ENDPOINTS: join(home, 'other.json') });
    expect(exit).toBe(3);
    expect(err).toContain('certificate');
  });
});
