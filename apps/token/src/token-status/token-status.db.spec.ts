import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { denylistAdd } from '@outrider/contracts';
import { issueVehicle, type Party, type TestNats } from '@outrider/testing';
import { decodeJwt, SignJWT } from 'jose';
import { ASSERTION_TYPE } from '../operator-client/client-assertion.js';
import { OperatorAccountRepository } from '../operator-client/operator-account.repository.js';
import { askToken, call, device, type Ground, prepareGround, startService, until } from '../token.fixture.js';

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const INACTIVE = { active: false };

let ground: Ground;
let app: NestFastifyApplication;
let vehicle: Party;
let stranger: Party;
let revocation: Awaited<ReturnType<TestNats['connectAs']>>;
/** What reached revocation, which puts it onto the list as the real one does. */
const denied: { value: string; until?: string | undefined; mode: string }[] = [];

beforeAll(async () => {
  ground = await prepareGround();
  app = await startService(ground, 1);
  const accounts = app.get(OperatorAccountRepository);
  const publicKeyPem = keys.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  await accounts.upsert({ clientId: 'platform', identity: 'platform', roles: ['resource-server'], publicKeyPem });
  await accounts.upsert({ clientId: 'viewer', identity: 'viewer', roles: ['viewer'], publicKeyPem });
  vehicle = await issueVehicle(ground.fleet, device('device-12345'));
  stranger = await issueVehicle(ground.fleet, device('device-66666'));
  for (const name of ['device-12345', 'device-66666']) ground.neighbours.register(name);
  revocation = await ground.nats.connectAs('revocation');
  revocation.subscribe(denylistAdd.subject, {
    callback: (_error, msg) => {
      const { entries } = denylistAdd.payload.parse(msg.json());
      for (const entry of entries) {
        denied.push(entry);
        ground.neighbours.deny(entry.kind, entry.value);
      }
      msg.respond(JSON.stringify({ ok: { sequence: 1, enforcedBy: [], pending: [] } }));
    },
  });
  await revocation.flush();
}, 60_000);

afterAll(async () => {
  await app?.close();
  await revocation?.close();
  await ground?.stop();
});

async function assertion(clientId: string, aud = ground.config.tokenIssuer): Promise<Record<string, string>> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: clientId, sub: clientId, aud, iat: now, exp: now + 60, jti: randomUUID() };
  const jwt = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(keys.privateKey);
  return { client_assertion_type: ASSERTION_TYPE, client_assertion: jwt };
}

const post = async (path: string, clientId: string, fields: Record<string, string>) =>
  call(ground, 'operator', path, { form: { ...(await assertion(clientId)), ...fields } });
const introspect = async (token: string, clientId = 'platform') =>
  (await post('/oauth2/introspect', clientId, { token })).body;
const tokenOf = async (party: Party, name: string): Promise<string> =>
  (await askToken(ground, party, name)).body.access_token;
const revokeAs = (party: Party | undefined, fields: Record<string, string>) =>
  call(ground, 'vehicle', '/oauth2/revoke', { party, form: fields });

describe('introspection', () => {
  it('tells a resource server all of a good token', async () => {
    const token = await tokenOf(vehicle, 'device-12345');
    const answer = await post('/oauth2/introspect', 'platform', { token, token_type_hint: 'access_token' });
    expect(answer).toMatchObject({ status: 200, body: { active: true, token_type: 'Bearer', ...decodeJwt(token) } });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('says of an operator token that it is good, until the account is switched off', async () => {
    const form = { grant_type: 'client_credentials', ...(await assertion('viewer')) };
    const { access_token } = (await call(ground, 'operator', '/oauth2/token', { form })).body;
    expect(await introspect(access_token)).toMatchObject({ active: true, client_id: 'viewer', roles: ['viewer'] });
    const admin = await ground.database.admin();
    await admin.query(`UPDATE operator_accounts SET enabled = false WHERE client_id = 'viewer'`);
    expect(await introspect(access_token)).toEqual(INACTIVE);
    await admin.query(`UPDATE operator_accounts SET enabled = true WHERE client_id = 'viewer'`);
    await admin.end();
  });

  it('says exactly {"active":false} of everything else', async () => {
    const token = await tokenOf(vehicle, 'device-12345');
    const [header, payload, signature = ''] = token.split('.');
    const forged = `${header}.${payload}.${signature.slice(0, -4)}AAAA`;
    for (const other of ['x', 'a.b.c', forged, `${token}.`, 'é', 'x'.repeat(5000)]) {
      expect(await introspect(other)).toEqual(INACTIVE);
    }
  });

  it.each(['certificate', 'device'] as const)('a token whose %s is out of service is not active', async (kind) => {
    const party = await issueVehicle(ground.fleet, device(`device-${kind}`));
    ground.neighbours.register(`device-${kind}`);
    const token = await tokenOf(party, `device-${kind}`);
    expect(await introspect(token)).toMatchObject({ active: true });
    ground.neighbours.deny(kind, kind === 'device' ? `device-${kind}` : party.certificate.thumbprint);
    await until(async () => (await introspect(token)).active === false);
    expect(await introspect(token)).toEqual(INACTIVE);
  });

  it('is for whom a role lets in, and each assertion works once', async () => {
    const token = await tokenOf(vehicle, 'device-12345');
    expect(await post('/oauth2/introspect', 'viewer', { token })).toMatchObject({
      status: 400,
      body: { error: 'unauthorized_client' },
    });
    const form = { ...(await assertion('platform')), token };
    expect((await call(ground, 'operator', '/oauth2/introspect', { form })).status).toBe(200);
    expect(await call(ground, 'operator', '/oauth2/introspect', { form })).toMatchObject({
      status: 401,
      body: { error: 'invalid_client' },
    });
    expect((await call(ground, 'operator', '/oauth2/introspect', { form: { token } })).status).toBe(401);
    expect((await call(ground, 'vehicle', '/oauth2/introspect', { party: vehicle, form: { token } })).status).toBe(404);
  });

  it('cannot be asked on a stale denylist: nobody knows what was revoked since', async () => {
    const token = await tokenOf(vehicle, 'device-12345');
    ground.neighbours.denylist.stopBeating();
    await until(async () => {
      const { status, body } = await post('/oauth2/introspect', 'platform', { token });
      return status === 503 && body.error === 'temporarily_unavailable';
    });
    ground.neighbours.denylist.startBeating();
    await until(async () => (await introspect(token)).active === true);
  });
});

describe('revocation', () => {
  it('ends a token on the denylist, until its own end', async () => {
    const token = await tokenOf(vehicle, 'device-12345');
    expect((await revokeAs(vehicle, { token, client_id: 'device-12345', token_type_hint: 'nonsense' })).status).toBe(
      200,
    );
    const { jti, exp = 0 } = decodeJwt(token);
    expect(denied.at(-1)).toMatchObject({ value: jti, mode: 'deny' });
    expect(Date.parse(denied.at(-1)?.until ?? '')).toBeGreaterThanOrEqual(exp * 1000);
    await until(async () => (await introspect(token)).active === false);
  });

  it("an operator's client ends its own", async () => {
    const form = { grant_type: 'client_credentials', ...(await assertion('viewer')) };
    const { access_token } = (await call(ground, 'operator', '/oauth2/token', { form })).body;
    expect((await post('/oauth2/revoke', 'platform', { token: access_token })).body.error).toBe('unauthorized_client');
    expect((await post('/oauth2/revoke', 'viewer', { token: access_token })).status).toBe(200);
    await until(async () => (await introspect(access_token)).active === false);
  });

  it("does nothing with another's token, and says so", async () => {
    const token = await tokenOf(vehicle, 'device-12345');
    const before = denied.length;
    expect(await revokeAs(stranger, { token, client_id: 'device-66666' })).toMatchObject({
      status: 400,
      body: { error: 'unauthorized_client' },
    });
    expect((await revokeAs(stranger, { token, client_id: 'device-12345' })).body.error).toBe('invalid_client');
    expect((await revokeAs(undefined, { token, client_id: 'device-12345' })).status).toBe(401);
    expect(denied).toHaveLength(before);
    expect(await introspect(token)).toMatchObject({ active: true });
  });

  it('what is no token, or no more, is revoked already', async () => {
    const before = denied.length;
    expect((await revokeAs(vehicle, { token: 'gone', client_id: 'device-12345' })).status).toBe(200);
    expect(denied).toHaveLength(before);
    expect((await revokeAs(vehicle, { client_id: 'device-12345' })).body.error).toBe('invalid_request');
  });

  it('is not answered with success while it could not be noted', async () => {
    const token = await tokenOf(vehicle, 'device-12345');
    await revocation.drain();
    expect(await revokeAs(vehicle, { token, client_id: 'device-12345' })).toMatchObject({
      status: 503,
      body: { error: 'temporarily_unavailable' },
    });
    expect(await introspect(token)).toMatchObject({ active: true });
  });
});
