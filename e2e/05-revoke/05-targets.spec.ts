import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ENDPOINTS_FILE, PROJECT } from '../harness/endpoints.js';
import { operator } from '../harness/operator.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { type Ask, Thief } from '../harness/thief.js';
import { until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';
import { head, Wire } from '../harness/wire.js';

interface Blocked {
  readonly blocked: boolean;
  readonly mode?: string;
  readonly expires_at?: string;
}

function jtiOf(token: string): string {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).jti;
}

describe('a block of one certificate, one token, one network', () => {
  let car: Vehicle;
  let client: Thief;
  let token: string;

  beforeAll(async () => {
    car = await Vehicle.enrol('targets');
    client = new Thief(car.certificate, car.key);
    token = await client.token(car.id, 'telemetry:write');
  });
  afterAll(() => client?.close());

  const ask = async (by = token): Promise<string> => {
    const window: Ask = { service: 'telemetry', method: 'GET', path: '/v1/telemetry/window', token: by };
    const { status, body } = await client.ask(window);
    return `${status}${status >= 400 ? ` ${JSON.parse(body).code}` : ''}`;
  };
  const becomes = (wanted: string, by?: string) =>
    until(`the answer is ${wanted}`, async () => (await ask(by)) === wanted, { withinMs: 20_000 });
  const block = (...args: string[]) => outriderJson<Blocked>('block', ...args, '--reason', 'a test', '--ticket', 'T-7');
  const unblock = (...args: string[]) => outriderJson<Blocked>('unblock', ...args, '--reason', 'over');

  it('a certificate: refused, and let in again', async () => {
    const certificate = ['--certificate', await car.thumbprint()];
    expect(await block(...certificate)).toMatchObject({ blocked: true, mode: 'recovery' });
    await becomes('403 denylist.certificate');
    expect(await unblock(...certificate)).toMatchObject({ blocked: false });
    await becomes('200');
  });

  it('a token: that one alone', async () => {
    const other = await client.token(car.id, 'telemetry:write');
    const named = ['--token-id', jtiOf(token)];
    expect(await block(...named)).toMatchObject({ blocked: true, mode: 'deny', expires_at: expect.any(String) });
    await becomes('401 denylist.token');
    expect(await ask(other)).toBe('200');
    const { items } = await outriderJson<{ items: object[] }>('decisions', '--token-id', jtiOf(token));
    expect(items).toContainEqual(expect.objectContaining({ code: 'denylist.token', device_id: car.id }));
    await unblock(...named);
    await becomes('200');
  });

  it('a network: whoever comes from there, until the block lifts itself', async () => {
    token = await client.token(car.id, 'telemetry:write');
    const request = head('GET', '/v1/telemetry/window', { authorization: `Bearer ${token}` });
    const identity = { cert: readFileSync(car.certificate), key: readFileSync(car.key) };
    const from = async (localAddress: string): Promise<number> => {
      const wire = await Wire.open('telemetry', { ...identity, localAddress } as object).catch(() => undefined);
      const status = wire ? (await wire.ask(request)).status : 0;
      wire?.close();
      return status;
    };
    expect(await from('127.0.0.77')).toBe(200);
    const kept = await Wire.open('telemetry', { ...identity, localAddress: '127.0.0.77' } as object);
    const { expires_at: until403 } = await block('--network', '127.0.0.77', '--expires-in', '4');
    await kept.closed;
    if (Date.now() < Date.parse(until403 ?? '') - 1000) expect(await from('127.0.0.77')).toBe(403);
    expect(await from('127.0.0.1')).toBe(200);
    await until('the network is let in again', async () => (await from('127.0.0.77')) === 200, { withinMs: 20_000 });
    const { items } = await outriderJson<{ items: object[] }>('blocks', '--history', '--network', '127.0.0.77');
    expect(items.slice(0, 2)).toMatchObject([
      { blocked: false, by: 'expiry' },
      { blocked: true, ticket: 'T-7' },
    ]);
    const refused = await outrider('block', '--network', '127.0.0.0/8');
    expect({ ...refused, stderr: refused.stderr.includes('gateway.network_refused') }).toMatchObject({
      code: 1,
      stderr: true,
    });
  });
});

describe('the decision log', () => {
  it('is followed by the command line, as OCSF', async () => {
    const follow = ['decisions', '--follow', '--ocsf', '--code', 'auth.scope_insufficient', '--count', '1'];
    const child = spawn(process.execPath, [join(PROJECT, 'apps/cli/dist/main.js'), ...follow], {
      env: { ...process.env, OUTRIDER_ENDPOINTS: ENDPOINTS_FILE },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    const ended = once(child, 'exit');
    // Refusals of one source are told of at once, then every ten seconds: sooner or later one comes after it has begun to read.
    await until(
      'a line',
      async () => {
        await operator('gateway', 'PUT', '/v1/policies', { body: {}, headers: { 'if-match': '"0"' } });
        return out.includes('\n');
      },
      { withinMs: 40_000 },
    );
    expect(await ended).toEqual([0, null]);
    expect(JSON.parse(out)).toMatchObject({ class_uid: 6003, status_code: 'auth.scope_insufficient', severity_id: 2 });
  }, 60_000);
});
