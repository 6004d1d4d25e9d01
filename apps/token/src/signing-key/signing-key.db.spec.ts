import { execFile } from 'node:child_process';
import { createPrivateKey, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { jwksChanged, jwksGet } from '@outrider/contracts';
import type pg from 'pg';
import { call, type Ground, prepareGround, startService, until } from '../token.fixture.js';
import { SigningKeyService } from './signing-key.service.js';

const MAIN = join(import.meta.dirname, '../main.js');

let ground: Ground;
let admin: pg.Client;
const apps: NestFastifyApplication[] = [];

beforeAll(async () => {
  ground = await prepareGround();
  admin = await ground.database.admin();
  // Two replicas that start at once on an empty database.
  const [first, second] = await Promise.all([startService(ground, 1), startService(ground, 2, { listen: false })]);
  apps.push(first, second);
}, 60_000);

afterAll(async () => {
  for (const app of apps) await app.close();
  await admin?.end();
  await ground?.stop();
});

it('the first key is made once, shared by replicas, and sealed in the database', async () => {
  const { rows } = await admin.query('SELECT kid, state, sealed_private_key FROM signing_keys');
  expect(rows).toMatchObject([{ state: 'sign' }]);
  for (const app of apps) expect(app.get(SigningKeyService).jwks.keys.map((jwk) => jwk.kid)).toEqual([rows[0].kid]);
  expect(() => createPrivateKey({ key: rows[0].sealed_private_key, format: 'der', type: 'pkcs8' })).toThrow();
});

it('the same JWKS is served on both listeners and over NATS', async () => {
  const telemetry = await ground.nats.connectAs('telemetry');
  const { ok } = (await telemetry.request(jwksGet.subject, '{}')).json() as { ok: object };
  await telemetry.close();
  for (const listener of ['vehicle', 'operator'] as const) {
    const { status, headers, body } = await call(ground, listener, '/oauth2/jwks');
    expect({ status, body }).toEqual({ status: 200, body: ok });
    expect(headers['cache-control']).toBe('public, max-age=60');
  }
});

it('keys rotate by themselves, once for all replicas, and each change is announced', async () => {
  const telemetry = await ground.nats.connectAs('telemetry');
  const heard: string[][] = [];
  telemetry.subscribe(jwksChanged.subject, {
    callback: (_error, msg) => {
      heard.push(jwksChanged.payload.parse(msg.json()).keys.map((jwk) => jwk.kid));
    },
  });
  await telemetry.flush();
  const [first, second] = apps.map((app) => app.get(SigningKeyService)) as [SigningKeyService, SigningKeyService];
  const kids = (keys: SigningKeyService) => keys.jwks.keys.map((jwk) => jwk.kid);
  const signer = (keys: SigningKeyService) =>
    JSON.parse(Buffer.from(keys.sign({} as never).split('.')[0] ?? '', 'base64url').toString()).kid as string;
  const [old = ''] = kids(first);
  const startMs = Date.now();
  const after = (seconds: number) => new Date(startMs + seconds * 1000);

  // Both replicas at once: one successor, and the old key signs on.
  await Promise.all([first.rotate(after(85_900)), second.rotate(after(85_900))]);
  await until(() => heard.length > 0);
  const [fresh = ''] = kids(first);
  expect(kids(first)).toEqual([fresh, old]);
  await second.rotate(after(86_000));
  expect([kids(second), signer(first), signer(second)]).toEqual([[fresh, old], old, old]);

  // It signs once it has been published long enough; tokens of the old one verify on.
  await first.rotate(after(86_501));
  await second.rotate(after(86_502));
  expect([signer(first), signer(second), kids(second)]).toEqual([fresh, fresh, [fresh, old]]);

  // And the old one goes when its last token has ended.
  await first.rotate(after(86_501 + 900));
  expect(kids(first)).toEqual([fresh, old]);
  await first.rotate(after(86_501 + 2000));
  expect(kids(first)).toEqual([fresh]);
  await until(() => heard.at(-1)?.length === 1);
  expect(heard).toContainEqual([fresh, old]);
  await telemetry.close();
});

it('goes on signing with what it has while the database is away', async () => {
  const keys = apps[0]?.get(SigningKeyService) as SigningKeyService;
  const before = keys.jwks;
  ground.postgres.cut();
  await expect(keys.rotate(new Date())).rejects.toThrow();
  expect(keys.jwks).toEqual(before);
  expect(keys.sign({} as never)).toMatch(/^ey/);
  await ground.postgres.mend();
});

it('another key-encryption key stops the start', async () => {
  const encryptionKeyFile = `${ground.config.signingKeys.encryptionKeyFile}.other`;
  writeFileSync(encryptionKeyFile, randomBytes(32).toString('base64'));
  const file = `${encryptionKeyFile}.json`;
  writeFileSync(
    file,
    JSON.stringify({ ...ground.config, signingKeys: { ...ground.config.signingKeys, encryptionKeyFile } }),
  );
  const started = promisify(execFile)(process.execPath, [MAIN, '--config', file], { timeout: 60_000 });
  await expect(started).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('does not open') });
});

it('metadata is served on both listeners, without a certificate', async () => {
  for (const listener of ['vehicle', 'operator'] as const) {
    const { status, body } = await call(ground, listener, '/.well-known/oauth-authorization-server');
    expect(status).toBe(200);
    expect(body).toMatchObject({ issuer: ground.config.tokenIssuer, tls_client_certificate_bound_access_tokens: true });
  }
});
