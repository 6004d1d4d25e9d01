import { execFile } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { STANDING_SCOPES } from '@outrider/admission';
import { createRemoteJWKSet, customFetch, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import type pg from 'pg';
import { ASSERTION_TYPE } from '../operator-client/client-assertion.js';
import { call, type Ground, prepareGround, startService, until } from '../token.fixture.js';

const COMMAND = join(import.meta.dirname, '../operator-account.command.js');
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let ground: Ground;
let app: NestFastifyApplication;
let admin: pg.Client;
let directory: string;

beforeAll(async () => {
  ground = await prepareGround();
  admin = await ground.database.admin();
  directory = dirname(ground.config.signingKeys.encryptionKeyFile);
  writeFileSync(join(directory, 'token.json'), JSON.stringify(ground.config));
  await account('local-admin', 'admin', keys.publicKey);
  app = await startService(ground, 1);
}, 60_000);

afterAll(async () => {
  await app?.close();
  await admin?.end();
  await ground?.stop();
});

async function account(clientId: string, roles: string, publicKey: KeyObject) {
  const file = join(directory, `${clientId}.pub`);
  writeFileSync(file, publicKey.export({ type: 'spki', format: 'pem' }));
  const options = [
    '--config',
    join(directory, 'token.json'),
    '--client-id',
    clientId,
    '--roles',
    roles,
    '--identity',
    clientId,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, ...options, '--public-key', file]);
  return JSON.parse(stdout) as { sub: string };
}

function assertion(clientId = 'local-admin', changed: JWTPayload = {}, key = keys.privateKey): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const { tokenIssuer } = ground.config;
  const claims = { iss: clientId, sub: clientId, aud: tokenIssuer, iat: now, exp: now + 60, jti: randomUUID() };
  return new SignJWT({ ...claims, ...changed }).setProtectedHeader({ alg: 'ES256', typ: 'JWT' }).sign(key);
}

async function ask(client_assertion: Promise<string> | string, fields: Record<string, string> = {}) {
  const form = {
    grant_type: 'client_credentials',
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: await client_assertion,
    ...fields,
  };
  return call(ground, 'operator', '/oauth2/token', { form });
}

describe('an operator', () => {
  it('gets a bearer token with the scopes of its roles, which any JWT library verifies', async () => {
    const answer = await ask(assertion(), { client_id: 'local-admin' });
    const scope = STANDING_SCOPES.join(' ');
    expect(answer).toMatchObject({ status: 200, body: { token_type: 'Bearer', expires_in: 900, scope } });
    expect(answer.headers['cache-control']).toBe('no-store');
    const jwks = createRemoteJWKSet(new URL('https://token.example/oauth2/jwks'), {
      [customFetch]: async () => Response.json((await call(ground, 'operator', '/oauth2/jwks')).body),
    });
    const { payload, protectedHeader } = await jwtVerify(answer.body.access_token, jwks, {
      issuer: ground.config.tokenIssuer,
      audience: 'urn:outrider:operator',
      typ: 'at+jwt',
    });
    expect(protectedHeader.alg).toBe('ES256');
    expect(payload).toMatchObject({ sub: expect.stringMatching(/^op:[0-9a-f-]{36}$/), roles: ['admin'], scope });
    const { rows } = await admin.query('SELECT jti FROM operator_tokens WHERE jti = $1', [payload.jti]);
    expect(rows).toHaveLength(1);
  });

  it('names the token endpoint as audience, or asks for less', async () => {
    const aud = `${ground.config.operatorUrl}/oauth2/token`;
    expect(await ask(assertion('local-admin', { aud }), { scope: 'gateway:block' })).toMatchObject({
      body: { scope: 'gateway:block' },
    });
  });

  it('uses an assertion once, though it be sent twenty times at once', async () => {
    const same = await assertion();
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(same)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const refused = answers.find(({ status }) => status !== 200);
    expect(refused).toMatchObject({ status: 401, body: { error: 'invalid_client', code: 'token.invalid_client' } });
    expect(refused?.headers['www-authenticate']).toBe('private_key_jwt realm="outrider"');
  });

  it.each<[string, () => Promise<string> | string, Record<string, string>, number, string]>([
    ['an unknown client', () => assertion('someone'), {}, 401, 'invalid_client'],
    [
      "another's key",
      () => assertion('local-admin', {}, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
      {},
      401,
      'invalid_client',
    ],
    ['an old assertion', () => assertion('local-admin', { exp: 1 }), {}, 401, 'invalid_client'],
    ['rubbish', () => 'rubbish', {}, 401, 'invalid_client'],
    ["a vehicle's scope", () => assertion(), { scope: 'telemetry:write' }, 400, 'invalid_scope'],
    ["a vehicle's resource", () => assertion(), { resource: 'urn:outrider:command' }, 400, 'invalid_target'],
    ['another grant', () => assertion(), { grant_type: 'refresh_token' }, 400, 'unsupported_grant_type'],
  ])('is refused with %s', async (_name, make, fields, status, error) => {
    expect(await ask(make(), fields)).toMatchObject({ status, body: { error, code: `token.${error}` } });
  });

  it("is not taken for a vehicle, nor on the vehicles' listener", async () => {
    const form = { grant_type: 'client_credentials', client_id: 'device-12345', scope: 'telemetry:write' };
    expect((await call(ground, 'operator', '/oauth2/token', { form })).status).toBe(401);
    const operator = { ...form, client_assertion_type: ASSERTION_TYPE, client_assertion: await assertion() };
    expect((await call(ground, 'vehicle', '/oauth2/token', { form: operator })).status).toBe(401);
  });
});

describe('a service account', () => {
  it('changes its roles and key under the same id', async () => {
    const [one, two] = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    const made = await account('nightly', 'viewer', one!.publicKey);
    expect(await ask(assertion('nightly', {}, one!.privateKey))).toMatchObject({
      body: { scope: 'device:read policy:read' },
    });
    expect((await account('nightly', 'ca-operator,auditor', two!.publicKey)).sub).toBe(made.sub);
    expect((await ask(assertion('nightly', {}, one!.privateKey))).status).toBe(401);
    const scope = 'device:read ca:revoke evidence:read operator:read elevation:request';
    expect(await ask(assertion('nightly', {}, two!.privateKey))).toMatchObject({ body: { scope } });
    await admin.query(`UPDATE operator_accounts SET enabled = false WHERE client_id = 'nightly'`);
    expect((await ask(assertion('nightly', {}, two!.privateKey))).status).toBe(401);
  });

  it.each([
    ['an unknown role', 'root', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey, /--roles/],
    ['a key that is not P-256', 'viewer', generateKeyPairSync('ed25519').publicKey, /P-256/],
  ])('is not made with %s', async (_name, roles, key, message) => {
    await expect(account('bad', roles, key)).rejects.toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
  });
});

it('without PostgreSQL there is no operator token: 503 with Retry-After, until it is back', async () => {
  ground.postgres.cut();
  expect(await ask(assertion())).toMatchObject({
    status: 503,
    headers: { 'retry-after': '1' },
    body: { error: 'temporarily_unavailable', code: 'service.unavailable' },
  });
  await ground.postgres.mend();
  await until(async () => (await ask(assertion())).status === 200);
});
