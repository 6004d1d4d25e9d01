import { createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { verifyDeviceToken } from '@outrider/admission';
import { Decision, decisionMade, EVENTS_STREAM, Jwks } from '@outrider/contracts';
import { verificationKeyOf } from '@outrider/crypto';
import { issue, issueFactoryDevice, type Party } from '@outrider/testing';
import type pg from 'pg';
import { type Answer, call, type Ground, prepareGround, startService, until } from '../token.fixture.js';
import { VehicleTokens } from './vehicle-tokens.fixture.js';

let ground: Ground;
let app: NestFastifyApplication;
let tokens: VehicleTokens;
let admin: pg.Client;

beforeAll(async () => {
  ground = await prepareGround();
  admin = await ground.database.admin();
  app = await startService(ground, 1);
  tokens = new VehicleTokens(ground);
}, 60_000);

afterAll(async () => {
  await app?.close();
  await admin?.end();
  await ground?.stop();
});

const ask: VehicleTokens['ask'] = (...given) => tokens.ask(...given);
const certificate: VehicleTokens['certificate'] = (...given) => tokens.certificate(...given);
const vehicle: VehicleTokens['vehicle'] = (...given) => tokens.vehicle(...given);

/** As any service would, by the JWKS alone. */
async function verified({ body }: Answer, app: 'telemetry' | 'command') {
  const { keys } = Jwks.parse((await call(ground, 'vehicle', '/oauth2/jwks')).body);
  const known = new Map(keys.map((jwk) => [jwk.kid, verificationKeyOf(createPublicKey({ key: jwk, format: 'jwk' }))]));
  const expected = {
    issuer: ground.config.tokenIssuer,
    audience: `urn:outrider:${app}`,
    nowMs: Date.now(),
    skewSeconds: 0,
  };
  return verifyDeviceToken(body.access_token, (kid) => known.get(kid), expected);
}

async function claimsOf(answer: Answer, app: 'telemetry' | 'command') {
  const verdict = await verified(answer, app);
  if (!verdict.ok) throw new Error(verdict.reason);
  return verdict.claims;
}

describe('a vehicle gets a token', () => {
  it('for telemetry, bound to its certificate, verifiable by the JWKS alone, for no other service', async () => {
    const party = await vehicle('vehicle-telemetry');
    const answer = await ask(party, 'vehicle-telemetry', { scope: 'telemetry:write' });
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'cache-control': 'no-store', pragma: 'no-cache', date: expect.any(String) },
      body: { token_type: 'Bearer', expires_in: 120, scope: 'telemetry:write' },
    });
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(await claimsOf(answer, 'telemetry')).toMatchObject({
      sub: 'vehicle-telemetry',
      cnf: { 'x5t#S256': party.certificate.thumbprint },
    });
    expect(await verified(answer, 'command')).toMatchObject({ ok: false });
  });

  it.each(['Ed25519', 'P-384'] as const)('with a key of type %s', async (keyType) => {
    const id = `vehicle-${keyType.toLowerCase()}`;
    expect((await ask(await vehicle(id, {}, { keyType }), id)).status).toBe(200);
  });

  it('for control with the grant, clamped, audited before the answer', async () => {
    const party = await vehicle('vehicle-control', { grants: ['command:receive'] });
    const fields = { scope: 'command:receive', resource: 'urn:outrider:command', requested_lifetime: '86400' };
    const answer = await ask(party, 'vehicle-control', fields);
    expect(answer).toMatchObject({ status: 200, body: { expires_in: 60, scope: 'command:receive' } });
    const { jti, exp } = await claimsOf(answer, 'command');
    const { rows } = await admin.query('SELECT * FROM control_tokens WHERE device_id = $1', ['vehicle-control']);
    const thumbprint = party.certificate.thumbprint;
    const expires_at = new Date(exp * 1000);
    expect(rows).toMatchObject([
      { jti, thumbprint, scope: 'command:receive', remote_address: '127.0.0.1', expires_at },
    ]);
  });

  it('that never outlives its certificate', async () => {
    const notAfter = new Date(Math.floor(Date.now() / 1000) * 1000 + 20_000);
    const party = await vehicle('vehicle-short', {}, { notAfter });
    expect((await claimsOf(await ask(party, 'vehicle-short'), 'telemetry')).exp * 1000).toBe(notAfter.getTime());
  });
});

describe('a request that must fail, in OAuth words', () => {
  let party: Party;
  beforeAll(async () => {
    party = await vehicle('vehicle-refused', { grants: ['command:receive'] });
  });

  it.each<[string, Record<string, string>, number, string]>([
    ["another vehicle's client_id", { client_id: 'device-99999' }, 401, 'invalid_client'],
    ['a grant it does not have', { scope: 'command:receive command:critical' }, 400, 'invalid_scope'],
    ['mixed scopes', { scope: 'telemetry:write command:receive' }, 400, 'invalid_scope'],
    ['a resource that does not fit', { resource: 'urn:outrider:command' }, 400, 'invalid_target'],
    ['another grant type', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
    ['a secret', { client_secret: 'x' }, 400, 'invalid_request'],
  ])('%s', async (_name, fields, status, error) => {
    const answer = await ask(party, 'vehicle-refused', fields);
    const body = { error, code: `token.${error}`, error_description: expect.any(String) };
    expect(answer).toMatchObject({ status, headers: { 'cache-control': 'no-store' }, body });
    expect(answer.headers['www-authenticate'] !== undefined).toBe(status === 401);
  });

  it('JSON, a duplicate parameter, an oversized form, a wrong method', async () => {
    const post = (form: string, headers = {}) => call(ground, 'vehicle', '/oauth2/token', { party, form, headers });
    expect(await post('{}', { 'content-type': 'application/json' })).toMatchObject({
      status: 400,
      body: { error: 'invalid_request', code: 'request.unsupported_media_type' },
    });
    for (const form of ['client_id=a&client_id=b', `x=${'y'.repeat(9000)}`, 'a=%zz', '']) {
      expect(await post(form)).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    }
    expect((await post(`x=${'y'.repeat(1_048_577)}`)).status).toBe(413);
    const get = await call(ground, 'vehicle', '/oauth2/token', { party });
    expect(get).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  });

  it('no client certificate, a factory certificate, a self-made one, an expired one', async () => {
    const factory = await issueFactoryDevice(ground.fleet, 'vehicle-refused');
    const selfMade = await issue('root', 'self', { name: 'vehicle-refused' });
    const expired = await certificate('vehicle-refused', { notAfter: new Date(Date.now() - 60_000) });
    for (const client of [undefined, factory, selfMade, expired]) {
      const answer = await ask(client, 'vehicle-refused');
      const body = { error: 'invalid_client', code: expect.stringMatching(/^tls\./) };
      expect(answer).toMatchObject({
        status: 401,
        headers: { 'www-authenticate': 'tls_client_auth realm="outrider"' },
        body,
      });
    }
  });

  it('a certificate on the denylist', async () => {
    const denied = await vehicle('vehicle-denied');
    expect((await ask(denied, 'vehicle-denied')).status).toBe(200);
    ground.neighbours.deny('certificate', denied.certificate.thumbprint);
    await until(async () => (await ask(denied, 'vehicle-denied')).status === 401);
    expect(await ask(denied, 'vehicle-denied')).toMatchObject({
      body: { error: 'invalid_client', code: 'denylist.certificate' },
    });
  });
});

it('reports a refusal behind the guard to the decision log, with the device', async () => {
  const party = await vehicle('vehicle-decided');
  await ask(party, 'device-99999');
  const provisioner = await ground.nats.connectAs('provisioner');
  const query = JSON.stringify({ last_by_subj: decisionMade('token').subject });
  await until(async () => {
    const { message } = (await provisioner.request(`$JS.API.STREAM.MSG.GET.${EVENTS_STREAM.name}`, query)).json<{
      message?: { data: string };
    }>();
    const decision = message && Decision.parse(JSON.parse(Buffer.from(message.data, 'base64').toString()));
    return decision?.code === 'token.invalid_client' && decision.deviceId === 'vehicle-decided';
  });
  await provisioner.close();
});

it.each(['UPDATE control_tokens SET scope = scope', 'DELETE FROM control_tokens', 'TRUNCATE control_tokens'])(
  'the audit of control tokens refuses %s to the runtime role and to its owner',
  async (sql) => {
    for (const role of ['token', 'token_owner']) {
      const client = await ground.database.admin();
      await client.query(`SET ROLE ${role}`);
      await expect(client.query(sql)).rejects.toMatchObject({ code: '42501' });
      await client.end();
    }
  },
);
