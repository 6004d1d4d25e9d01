import { generateKeyPairSync } from 'node:crypto';
import { Writable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { InstanceId } from '@outrider/ids';
import { hidden } from './hidden.js';
import { createLogger } from './logger.provider.js';
import { withTrace } from './trace.provider.js';

const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJkZXZpY2UtMTIzNDUifQ.c2lnbmF0dXJlLW9mLWl0';
const KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });

describe('what no line of the log keeps', () => {
  it.each([
    ['a token', `refused ${TOKEN}, again`, 'refused [token], again'],
    ['a header', 'authorization: Bearer c2VjcmV0LXNlY3JldC1zZWNyZXQ=', 'authorization: Bearer [secret]'],
    [
      'a password in an address',
      'postgres://token:hunter2@127.0.0.1:5432/x',
      'postgres://token:[secret]@127.0.0.1:5432/x',
    ],
    ['a private key cut short', `-----BEGIN PRIVATE KEY-----\nMIGH`, '[private key]'],
  ])('%s', (_name, line, expected) => expect(hidden(line)).toBe(expected));

  it('leaves what is none', () => {
    const line = '{"path":"/v1/telemetry","code":"auth.token_missing","url":"http://127.0.0.1:9100/metrics"}';
    expect(hidden(line)).toBe(line);
  });

  it.each([
    ['an address without end', `://${'a.'.repeat(100_000)}`],
    ['an address without credentials, again and again', 'a://a:'.repeat(30_000)],
    ['a token without end', `eyJ${'-eyJ'.repeat(50_000)}`],
    ['the beginning of a token, again and again', 'eyJ00000000.'.repeat(15_000)],
    ['the beginning of a key, again and again', '-----BEGIN PRIVATE KEY'.repeat(9_000)],
    ['the beginning of a header, again and again', 'Bearer 0000000 '.repeat(13_000)],
  ])('reads %s no more than a few times', (_name, line) => {
    const before = process.cpuUsage();
    hidden(line);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(2);
  });
});

describe('the log', () => {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const logger = createLogger('token', InstanceId.parse('token-00000001'), 'info', stream);

  it('says service, instance, level and the trace under way', () => {
    withTrace('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', () => logger.warn({ code: 'x' }, 'said'));
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({
      level: 'warn',
      service: 'token',
      instance: 'token-00000001',
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
      msg: 'said',
    });
  });

  it('keeps no secret, by its name or by its shape', () => {
    logger.error({
      err: new Error(`bad ${TOKEN}`),
      request: { headers: { dpop: 'proof' }, key: KEY },
      nonce: 'n-0001',
    });
    const line = lines.at(-1)!;
    expect(line).toContain('bad [token]');
    expect(line).not.toMatch(/eyJ|proof|PRIVATE KEY|n-0001/);
  });
});
