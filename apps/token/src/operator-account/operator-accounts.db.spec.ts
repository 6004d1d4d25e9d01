import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ACR, OPERATOR_AUDIENCE } from '@outrider/admission';
import { denylistAdd } from '@outrider/contracts';
import { Database } from '@outrider/platform/postgres';
import type { TestNats } from '@outrider/testing';
import { decodeJwt, SignJWT } from 'jose';
import { ASSERTION_TYPE } from '../operator-client/client-assertion.js';
import { OperatorAccountRepository } from '../operator-client/operator-account.repository.js';
import { OperatorClients } from '../operator-client/operator-clients.service.js';
import { SigningKeyService } from '../signing-key/signing-key.service.js';
import { type Answer, call, type Ground, prepareGround, startService, until } from '../token.fixture.js';

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }) as string;
const adminKey = newKey();

let ground: Ground;
let app: NestFastifyApplication;
let revocation: Awaited<ReturnType<TestNats['connectAs']>>;
let admin: string;
let adminSub: string;
const denied = new Set<string>();

beforeAll(async () => {
  ground = await prepareGround();
  app = await startService(ground, 1);
  const publicKeyPem = pem(adminKey.publicKey);
  const made = await app
    .get(OperatorAccountRepository)
    .upsert({ clientId: 'ann', identity: 'ann@fleet', roles: ['admin'], publicKeyPem });
  adminSub = `op:${made?.id}`;
  revocation = await ground.nats.connectAs('revocation');
  revocation.subscribe(denylistAdd.subject, {
    callback: (_error, msg) => {
      for (const { kind, value } of denylistAdd.payload.parse(msg.json()).entries) {
        denied.add(value);
        ground.neighbours.deny(kind, value);
      }
      msg.respond(JSON.stringify({ ok: { sequence: 1, enforcedBy: [], pending: [] } }));
    },
  });
  await revocation.flush();
  admin = (await token('ann', adminKey.privateKey)).body.access_token;
}, 60_000);

afterAll(async () => {
  await app?.close();
  await revocation?.close();
  await ground?.stop();
});

async function token(clientId: string, key: KeyObject): Promise<Answer> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: clientId, sub: clientId, aud: ground.config.tokenIssuer, iat: now, exp: now + 60 };
  const assertion = new SignJWT({ ...claims, jti: randomUUID() }).setProtectedHeader({ alg: 'ES256' });
  const form = {
    grant_type: 'client_credentials',
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: await assertion.sign(key),
  };
  return call(ground, 'operator', '/oauth2/token', { form });
}

const api = (bearer: string, method: 'GET' | 'POST' | 'PATCH', path = '', body?: object, more = {}) =>
  call(ground, 'operator', `/v1/operators${path}`, {
    method,
    headers: { authorization: `Bearer ${bearer}`, ...(body ? { 'content-type': 'application/json' } : {}), ...more },
    ...(body ? { form: JSON.stringify(body) } : {}),
  });

async function make(clientId: string, roles: string[], identity = clientId) {
  const { privateKey, publicKey } = newKey();
  const body = { client_id: clientId, identity, roles, public_key: pem(publicKey) };
  const { status, body: account } = await api(admin, 'POST', '', body);
  expect({ status, account }).toMatchObject({ status: 201, account: { client_id: clientId, roles, enabled: true } });
  return { privateKey, sub: account.sub as string };
}

it('a service account made by the API gets tokens by its key; switched off, those it has are refused', async () => {
  const { privateKey, sub } = await make('nightly', ['viewer', 'auditor']);
  const { access_token } = (await token('nightly', privateKey)).body;
  expect(decodeJwt(access_token)).toMatchObject({ sub, roles: ['viewer', 'auditor'] });
  expect((await api(access_token, 'GET', `/${sub}`)).body).toMatchObject({ kind: 'service', keyed_by: ['ann@fleet'] });
  expect((await api(access_token, 'PATCH', `/${sub}`, { roles: ['admin'] })).status).toBe(403);
  expect(await api(admin, 'PATCH', `/${sub}`, { enabled: false })).toMatchObject({
    status: 200,
    body: { enabled: false },
  });
  expect(denied).toContain(decodeJwt(access_token).jti);
  await until(async () => (await api(access_token, 'GET')).body.code === 'denylist.token');
  expect((await token('nightly', privateKey)).status).toBe(401);
  expect((await api(admin, 'PATCH', `/${sub}`, { enabled: true })).status).toBe(200);
  expect((await token('nightly', privateKey)).status).toBe(200);
});

it('roles taken away and a new key end the tokens that say otherwise; a role more does not', async () => {
  const { privateKey, sub } = await make('weekly', ['viewer']);
  const first = decodeJwt((await token('weekly', privateKey)).body.access_token).jti;
  await api(admin, 'PATCH', `/${sub}`, { roles: ['viewer', 'auditor'] });
  expect(denied).not.toContain(first);
  await api(admin, 'PATCH', `/${sub}`, { roles: ['auditor'] });
  expect(denied).toContain(first);
  const second = (await token('weekly', privateKey)).body;
  expect(second.scope).toBe('evidence:read operator:read');
  const other = newKey();
  await api(admin, 'PATCH', `/${sub}`, { public_key: pem(other.publicKey) });
  expect(denied).toContain(decodeJwt(second.access_token).jti);
  expect((await token('weekly', privateKey)).status).toBe(401);
  expect((await token('weekly', other.privateKey)).status).toBe(200);
});

it('is changed by nobody who has not seen it as it is', async () => {
  const { sub } = await make('seen', ['viewer']);
  const { headers } = await api(admin, 'GET', `/${sub}`);
  expect(headers.etag).toMatch(/^"[\w-]{22}"$/);
  const change = (roles: string[]) => api(admin, 'PATCH', `/${sub}`, { roles }, { 'if-match': headers.etag });
  const changed = await change(['auditor']);
  expect(changed).toMatchObject({ status: 200, body: { roles: ['auditor'] } });
  expect(await change(['viewer'])).toMatchObject({ status: 412, body: { code: 'request.precondition_failed' } });
  const now = await api(admin, 'GET', `/${sub}`);
  expect(now).toMatchObject({ body: { roles: ['auditor'] }, headers: { etag: changed.headers.etag } });
});

it('an assertion by the old key, verified before the change, gets no token after it', async () => {
  const { privateKey, sub } = await make('hourly', ['viewer']);
  const clients = app.get(OperatorClients);
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'hourly', sub: 'hourly', aud: ground.config.tokenIssuer, exp: now + 60, jti: randomUUID() };
  const form = new Map([
    ['client_assertion_type', ASSERTION_TYPE],
    ['client_assertion', await new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(privateKey)],
  ]);
  const asserted = await clients.assertedBy(form, new Date());
  expect((await api(admin, 'PATCH', `/${sub}`, { public_key: pem(newKey().publicKey) })).status).toBe(200);
  const using = app.get(Database).transaction((tx) => clients.use(tx, asserted));
  await expect(using).rejects.toMatchObject({ code: 'token.invalid_client' });
});

it('nobody widens their own: not their account, not another of theirs, and nobody without the right', async () => {
  const own = { code: 'operator.own_account' };
  expect(await api(admin, 'PATCH', `/${adminSub}`, { roles: ['admin', 'auditor'] })).toMatchObject({
    status: 403,
    body: own,
  });
  const body = { client_id: 'ann-too', identity: 'ann@fleet', roles: ['viewer'], public_key: pem(newKey().publicKey) };
  expect(await api(admin, 'POST', '', body)).toMatchObject({ status: 403, body: own });
  const { privateKey } = await make('fleeter', ['fleet-operator']);
  const fleeter = (await token('fleeter', privateKey)).body.access_token;
  expect(await api(fleeter, 'POST', '', { ...body, identity: 'x' })).toMatchObject({
    status: 403,
    body: { code: 'auth.scope_insufficient' },
  });
  expect((await api('', 'GET')).status).toBe(401);
});

it('who made an account cannot approve what it asks for: its key may be theirs', async () => {
  const { privateKey } = await make('puppet', ['admin'], 'puppet@fleet');
  const asked = { scope: 'policy:write', reason: 'as long as it looks like two', duration_seconds: 600 };
  const call_ = (bearer: string, path: string, body: object) =>
    call(ground, 'operator', `/v1/elevations${path}`, {
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      form: JSON.stringify(body),
    });
  const puppet = (await token('puppet', privateKey)).body.access_token;
  const { elevation_id: id } = (await call_(puppet, '', asked)).body;
  const now = Math.floor(Date.now() / 1000);
  const times = { iat: now, nbf: now, exp: now + 300, auth_time: now, jti: randomUUID() };
  const who = {
    iss: ground.config.tokenIssuer,
    aud: OPERATOR_AUDIENCE,
    client_id: 'ann',
    sub: adminSub,
    roles: ['admin'],
  };
  const claims = { ...who, ...times, scope: 'elevation:approve', acr: ACR.mfa, amr: ['pwd', 'otp'] };
  const signedIn = app.get(SigningKeyService).sign(claims as never);
  expect(await call_(signedIn, `/${id}/approve`, {})).toMatchObject({
    status: 403,
    body: { code: 'elevation.same_person' },
  });
});

it('are listed a page at a time; a name is taken once; what is not there is not found', async () => {
  const one = await api(admin, 'GET', '?limit=1');
  expect(one.body.items).toMatchObject([{ client_id: 'ann', identity: 'ann@fleet' }]);
  const rest = await api(admin, 'GET', `?after=${one.body.next}`);
  const names = rest.body.items.map((account: { client_id: string }) => account.client_id);
  expect(names).toEqual(names.toSorted());
  expect(names).toContain('nightly');
  const again = { client_id: 'ann', identity: 'someone', roles: ['viewer'], public_key: pem(newKey().publicKey) };
  expect(await api(admin, 'POST', '', again)).toMatchObject({ status: 409, body: { code: 'operator.exists' } });
  expect(await api(admin, 'GET', `/op:${randomUUID()}`)).toMatchObject({
    status: 404,
    body: { code: 'operator.not_found' },
  });
  expect((await api(admin, 'GET', '/op:x')).status).toBe(400);
});
