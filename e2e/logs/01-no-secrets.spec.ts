import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { HOME, SERVICES } from '../harness/endpoints.js';
import { knownSecrets } from '../harness/known-secrets.js';
import { type KnownSecret, type Leak, leaksOf } from '../harness/log-secrets.js';

const FOLDER = join(HOME, 'logs');
const files = readdirSync(FOLDER).filter((name) => name.includes('.log'));
/** Lines of these are about one request or message. */
const OF_ONE_REQUEST = [
  'refused',
  'a request failed',
  'an event will come again',
  'a message out of contract is set aside',
  'a message of another subject is refused',
];

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const PLANTED: readonly (readonly [what: string, line: string])[] = [
  ['a token', '{"level":"warn","msg":"bad eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJkZXZpY2UifQ.c2lnbmF0dXJlLW9mLWl0"}'],
  ['a key, PEM', JSON.stringify({ err: { message: key.export({ type: 'pkcs8', format: 'pem' }) } })],
  ['a key, DER', `key=${key.export({ type: 'pkcs8', format: 'der' }).toString('base64')}`],
  ['a header', 'Authorization: Bearer 2YotnFZFEjr1zCsicMWpAA'],
  ['a password of PostgreSQL', 'connecting to postgres://telemetry:hunter22@127.0.0.1:5432/outrider'],
  ['a TOTP secret', '{"msg":"enrolled","uri":"otpauth://totp/Outrider"}'],
  ['a TOTP secret alone', '{"msg":"enrolled JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}'],
  ['a secret by its name', '{"level":"info","request":{"headers":{"dpop":"anything"}}}'],
  ['a nonce by its name', '{"nonce":"n-1"}'],
  ['a token in a query', 'GET /v1/devices?access_token=2YotnFZFEjr1zCsicMWpAA'],
];

describe('what a whole run has logged', () => {
  let known: KnownSecret[];

  beforeAll(async () => {
    const begun = Math.min(...files.map((name) => statSync(join(FOLDER, name)).birthtimeMs));
    known = await knownSecrets(begun);
  });

  it('knows what to look for', () => {
    const names = new Set(known.map(({ name }) => name));
    for (const name of [
      'secrets/nats-telemetry',
      'secrets/postgres-token',
      'secrets/local-officer.totp',
      'a DPoP nonce',
      'an operator token',
    ])
      expect(names).toContain(name);
    expect([...names].filter((name) => name.endsWith('.key')).length).toBeGreaterThan(3);
  });

  it.each(PLANTED)('would find %s', (_what, line) =>
    expect(leaksOf('x', `{}\n${line}`, [])).toMatchObject([{ line: 2 }]),
  );

  it('would find each secret that it knows, wherever in a line', () => {
    for (const secret of known.filter(({ value }) => value.length >= 8)) {
      const found = leaksOf('x', `{"msg":"it was ${secret.value}, then"}`, [secret]);
      expect(found.map(({ what }) => what)).toContain(secret.name);
    }
  });

  it('holds no secret in any line of any process', () => {
    const leaks: Leak[] = files.flatMap((name) => leaksOf(name, readFileSync(join(FOLDER, name), 'utf8'), known));
    expect(leaks).toEqual([]);
  });

  it('is JSON that says who, when and how bad, and of which request', () => {
    for (const service of SERVICES) {
      const lines = readFileSync(join(FOLDER, `${service}.log`), 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{"level"'));
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) {
        const said = JSON.parse(line) as Record<string, unknown>;
        expect(said).toMatchObject({ level: expect.stringMatching(/^[a-z]+$/), time: expect.any(String), service });
        if (OF_ONE_REQUEST.includes(String(said.msg)))
          expect(said).toHaveProperty('traceId', expect.stringMatching(/^[0-9a-f]{32}$/));
      }
    }
  });
});
