import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ACR, OPERATOR_AUDIENCE } from '@outrider/admission';
import { denylistAdd } from '@outrider/contracts';
import { Policies } from '@outrider/platform/policy';
import type { TestNats } from '@outrider/testing';
import { decodeJwt, SignJWT } from 'jose';
import type pg from 'pg';
import { ASSERTION_TYPE } from '../operator-client/client-assertion.js';
import { OperatorAccountRepository } from '../operator-client/operator-account.repository.js';
import type { Role } from '../operator-token/roles.js';
import { SigningKeyService } from '../signing-key/signing-key.service.js';
import { type Answer, call, type Ground, prepareGround, startService, until } from '../token.fixture.js';

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const REASON = 'the fence of the north depot is wrong';

let ground: Ground;
let app: NestFastifyApplication;
let admin: pg.Client;
let revocation: Awaited<ReturnType<TestNats['connectAs']>>;
/** What revocation was asked to deny; where `revocationAway`, it does not answer. */
const denied: string[] = [];
let revocationAway = false;
/** Accounts by client id: the uuid of `sub`. */
const accounts: Record<string, string> = {};

beforeAll(async () => {
  ground = await prepareGround();
  app = await startService(ground, 1);
  admin = await ground.database.admin();
  const publicKeyPem = keys.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const make = async (clientId: string, identity: string, roles: Role[]) => {
    const made = await app.get(OperatorAccountRepository).upsert({ clientId, identity, roles, publicKeyPem });
    accounts[clientId] = made!.id;
  };
  await make('ann', 'ann@fleet', ['admin']);
  await make('ann-too', 'ann@fleet', ['security-operator']);
  await make('ben', 'ben@fleet', ['security-operator']);
  await make('eve', 'eve@fleet', ['fleet-operator']);
  await make('viv', 'viv@fleet', ['viewer']);
  revocation = await ground.nats.connectAs('revocation');
  revocation.subscribe(denylistAdd.subject, {
    callback: (_error, msg) => {
      if (revocationAway) return void msg.respond(JSON.stringify({ error: { code: 'service.unavailable' } }));
      for (const { kind, value } of denylistAdd.payload.parse(msg.json()).entries) {
        denied.push(value);
        ground.neighbours.deny(kind, value);
      }
      msg.respond(JSON.stringify({ ok: { sequence: 1, enforcedBy: [], pending: [] } }));
    },
  });
  await revocation.flush();
}, 60_000);

afterAll(async () => {
  await app?.close();
  await revocation?.close();
  await admin?.end();
  await ground?.stop();
});

const now = () => Math.floor(Date.now() / 1000);

/** A token as a person's sign-in gives it. */
function personToken(clientId: string, changed: object = {}): string {
  const roles = { ann: ['admin'], eve: ['fleet-operator'], viv: ['viewer'] }[clientId] ?? ['security-operator'];
  const scope = 'operator:read elevation:request elevation:approve';
  const common = { iss: ground.config.tokenIssuer, aud: OPERATOR_AUDIENCE, client_id: clientId, roles, scope };
  const times = { iat: now(), nbf: now(), exp: now() + 300, jti: randomUUID() };
  const signIn = { acr: ACR.mfa, amr: ['pwd', 'otp'], auth_time: now() };
  const claims = { ...common, ...times, ...signIn, sub: `op:${accounts[clientId]}`, ...changed };
  return app.get(SigningKeyService).sign(claims as never);
}

async function serviceToken(clientId: string, scope?: string): Promise<Answer> {
  const claims = { iss: clientId, sub: clientId, aud: ground.config.tokenIssuer, iat: now(), exp: now() + 60 };
  const assertion = new SignJWT({ ...claims, jti: randomUUID() }).setProtectedHeader({ alg: 'ES256' });
  const form = {
    grant_type: 'client_credentials',
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: await assertion.sign(keys.privateKey),
    ...(scope === undefined ? {} : { scope }),
  };
  return call(ground, 'operator', '/oauth2/token', { form });
}

const api = (token: string, path: string, body?: object, more = {}) =>
  call(ground, 'operator', `/v1/elevations${path}`, {
    headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}), ...more },
    ...(body ? { form: JSON.stringify(body) } : {}),
  });

async function requested(clientId = 'ann', changed: object = {}): Promise<string> {
  const { access_token } = (await serviceToken(clientId)).body;
  const body = { scope: 'policy:write', reason: REASON, duration_seconds: 600, ...changed };
  const answer = await api(access_token, '', body);
  expect(answer).toMatchObject({ status: 201, body: { state: 'requested', scope: body.scope } });
  return answer.body.elevation_id;
}

async function granted(changed: object = {}): Promise<string> {
  const id = await requested('ann', changed);
  expect(await api(personToken('ben'), `/${id}/approve`, {})).toMatchObject({ status: 200 });
  return id;
}

describe('an elevation', () => {
  it('is asked for once by a key, however often it is sent', async () => {
    const { access_token } = (await serviceToken('ann')).body;
    const body = { scope: 'policy:write', reason: REASON, duration_seconds: 600 };
    const send = (asked: object, key: string) => api(access_token, '', asked, { 'idempotency-key': key });
    const answers = await Promise.all([1, 2, 3].map(() => send(body, 'depot')));
    const ids = answers.map(({ status, body: { elevation_id } }) => ({ status, elevation_id }));
    expect(new Set(ids.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(ids[0]).toMatchObject({ status: 201, elevation_id: expect.any(String) });
    const id = ids[0]?.elevation_id as string;
    const other = await send({ ...body, duration_seconds: 900 }, 'depot');
    expect(other).toMatchObject({ status: 422, body: { code: 'request.idempotency_mismatch' } });
    expect((await send(body, 'two words')).body.code).toBe('request.invalid');
    expect(await api(personToken('ben'), `/${id}/reject`, {})).toMatchObject({ status: 200 });
    expect((await send(body, 'depot')).body).toMatchObject({ elevation_id: id, state: 'rejected' });
  });

  it('is asked for by one, granted by another, and carried by a token that asks for it', async () => {
    expect((await serviceToken('ann', 'policy:write')).status).toBe(400);
    const id = await requested();
    expect((await serviceToken('ann', 'policy:write')).status).toBe(400);
    const approval = await api(personToken('ben'), `/${id}/approve`, { reason: 'seen the ticket' });
    expect(approval).toMatchObject({ body: { state: 'approved', decided_by: `op:${accounts.ben}` } });
    const { body } = await serviceToken('ann', 'policy:read policy:write');
    const claims = decodeJwt(body.access_token);
    expect(claims).toMatchObject({ scope: 'policy:read policy:write', elevation: id, acr: ACR.service });
    expect(claims.exp! * 1000).toBeLessThanOrEqual(Date.parse(approval.body.ends_at));
    expect(body.expires_in).toBeGreaterThan(590);
    expect(decodeJwt((await serviceToken('ann')).body.access_token)).not.toHaveProperty('elevation');
    expect((await serviceToken('ben', 'policy:write')).status).toBe(400);
    const { history, state } = (await api(personToken('ben'), `/${id}`)).body;
    expect(state).toBe('approved');
    expect(history).toMatchObject([
      { event: 'requested', who: `op:${accounts.ann}`, why: REASON },
      { event: 'approved', who: `op:${accounts.ben}`, why: 'seen the ticket' },
    ]);
  });

  it('ends by itself, and its tokens with it', async () => {
    const id = await granted({ scope: 'ca:revoke-bulk', duration_seconds: 60 });
    await admin.query(`UPDATE elevations SET ends_at = now() + interval '3 seconds' WHERE elevation_id = $1`, [id]);
    const { body } = await serviceToken('ann', 'ca:revoke-bulk');
    expect(body.expires_in).toBeLessThanOrEqual(3);
    await until(async () => (await api(personToken('ben'), `/${id}`)).body.state === 'ended');
    expect((await serviceToken('ann', 'ca:revoke-bulk')).body).toMatchObject({ error: 'invalid_scope' });
  });

  it('ended early takes its tokens along', async () => {
    const id = await granted({ scope: 'command:send-critical' });
    const { access_token } = (await serviceToken('ann', 'command:send-critical operator:read')).body;
    expect((await api(access_token, '')).status).toBe(200);
    const plain = (await serviceToken('ann')).body.access_token;
    revocationAway = true;
    expect((await api(personToken('ben'), `/${id}/revoke`, {})).status).toBe(503);
    expect((await serviceToken('ann', 'command:send-critical')).status).toBe(400);
    revocationAway = false;
    expect(await api(personToken('ben'), `/${id}/revoke`, {})).toMatchObject({ body: { state: 'revoked' } });
    expect(denied).toContain(decodeJwt(access_token).jti);
    expect(denied).not.toContain(decodeJwt(plain).jti);
    await until(async () => (await api(access_token, '')).body.code === 'denylist.token');
    expect((await api(plain, '')).status).toBe(200);
  });

  it('ended while revocation is away has its tokens denied once that is back, though nobody asks again', async () => {
    const id = await granted({ scope: 'command:send-critical' });
    const { access_token } = (await serviceToken('ann', 'command:send-critical operator:read')).body;
    const { jti } = decodeJwt(access_token);
    revocationAway = true;
    expect((await api(personToken('ben'), `/${id}/revoke`, {})).status).toBe(503);
    const owed = async () => (await admin.query('SELECT 1 FROM token.owed_denials WHERE jti = $1', [jti])).rowCount;
    expect(await owed()).toBe(1);
    expect(denied).not.toContain(jti);
    revocationAway = false;
    await until(async () => (await owed()) === 0);
    expect(denied).toContain(jti);
    await until(async () => (await api(access_token, '')).body.code === 'denylist.token');
  });

  it('is withdrawn by who asked, and not by a stranger without the right', async () => {
    const id = await requested();
    const eve = (await serviceToken('eve')).body.access_token;
    expect(await api(eve, `/${id}/revoke`, {})).toMatchObject({ status: 403 });
    const ann = (await serviceToken('ann', 'elevation:request')).body.access_token;
    expect(await api(ann, `/${id}/revoke`, {})).toMatchObject({ body: { state: 'revoked' } });
    expect(await api(personToken('ben'), `/${id}/approve`, {})).toMatchObject({ status: 409 });
  });

  it('is granted once, though ten approve at once', async () => {
    const id = await requested();
    const answers = await Promise.all(Array.from({ length: 10 }, () => api(personToken('ben'), `/${id}/approve`, {})));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'elevation.closed')).toHaveLength(9);
  });
});

describe('an approval', () => {
  it.each([
    ['of who asked', 'ann'],
    ['of who asked, by a second account', 'ann-too'],
  ])('%s is refused', async (_name, clientId) => {
    const id = await requested();
    const answer = await api(personToken(clientId), `/${id}/approve`, {});
    expect(answer).toMatchObject({ status: 403, body: { code: 'elevation.same_person' } });
  });

  it.each([
    ['of a service account', { acr: ACR.service, amr: ['pop'] }],
    ['by a password alone', { acr: ACR.password, amr: ['pwd'] }],
    ['by a sign-in of six minutes ago', { auth_time: Math.floor(Date.now() / 1000) - 360 }],
  ])('%s is told to sign in (RFC 9470)', async (_name, changed) => {
    const id = await requested();
    const answer = await api(personToken('ben', changed), `/${id}/approve`, {});
    expect(answer).toMatchObject({ status: 401, body: { code: 'auth.step_up_required' } });
    const challenge = answer.headers['www-authenticate'];
    for (const part of ['error="insufficient_user_authentication"', `acr_values="${ACR.mfa}"`, 'max_age="300"'])
      expect(challenge).toContain(part);
  });

  it('needs its scope, and an account that is switched on', async () => {
    const id = await requested();
    const scope = 'operator:read elevation:request';
    expect(await api(personToken('eve', { scope }), `/${id}/approve`, {})).toMatchObject({
      body: { code: 'auth.scope_insufficient' },
    });
    const token = personToken('ben');
    await admin.query(`UPDATE operator_accounts SET enabled = false WHERE client_id = 'ben'`);
    expect(await api(token, `/${id}/approve`, {})).toMatchObject({ body: { code: 'auth.role_insufficient' } });
    await admin.query(`UPDATE operator_accounts SET enabled = true WHERE client_id = 'ben'`);
  });

  it('may be a refusal', async () => {
    const id = await requested();
    const answer = await api(personToken('ben'), `/${id}/reject`, { reason: 'no ticket' });
    expect(answer.body).toMatchObject({ state: 'rejected', decision_reason: 'no ticket' });
  });
});

describe('policies', () => {
  it('refuse an approval by name, and the request goes on waiting', async () => {
    const id = await requested('ann', { scope: 'ca:revoke-bulk', duration_seconds: 7200 });
    expect(await api(personToken('ben'), `/${id}/approve`, {})).toMatchObject({
      status: 403,
      body: { code: 'policy.denied', detail: 'no-long-elevation-to-what-reaches-the-fleet' },
    });
    expect((await api(personToken('ben'), `/${id}`)).body.state).toBe('requested');
  });

  it('of the fleet have a say, and cannot keep anyone from putting them right by failing', async () => {
    const [critical, rules] = [await requested('eve', { scope: 'command:send-critical' }), await requested()];
    ground.gateway.publish({
      'elevation-by-approval':
        'permit (principal, action == Outrider::Action::"elevate", resource) when { resource.roles.contains("x") };',
    });
    await until(() => app.get(Policies).version === 2);
    const approve = (id: string) => api(personToken('ben'), `/${id}/approve`, {});
    expect(await approve(critical)).toMatchObject({ status: 403, body: { code: 'policy.denied' } });
    expect(await approve(rules)).toMatchObject({ status: 200 });
    ground.gateway.publish();
    await until(() => app.get(Policies).version === 3);
    expect(await approve(critical)).toMatchObject({ status: 200 });
  });
});

it('are listed the newest first, a page at a time', async () => {
  const ids = [await requested(), await requested(), await requested()];
  const token = personToken('ben');
  const first = (await api(token, '?limit=2')).body;
  const second = (await api(token, `?limit=2&after=${first.next}`)).body;
  const listed = [...first.items, ...second.items].map((one: { elevation_id: string }) => one.elevation_id);
  expect(listed.slice(0, 3)).toEqual(ids.toReversed());
  expect(new Set(listed).size).toBe(4);
  expect((await api(token, '?limit=1000')).body.next).toBeNull();
  for (const wrong of ['?limit=1001', '?limit=0', '?after=x']) expect((await api(token, wrong)).status).toBe(400);
});

it('is not asked for by who no role lets ask', async () => {
  const body = { scope: 'policy:write', reason: REASON, duration_seconds: 600 };
  expect(await api((await serviceToken('eve')).body.access_token, '', body)).toMatchObject({
    status: 403,
    body: { code: 'elevation.not_allowed' },
  });
  expect(await api((await serviceToken('viv')).body.access_token, '', body)).toMatchObject({ status: 403 });
  expect((await api('', '', body)).status).toBe(401);
});

it('keeps a history that nobody changes', async () => {
  const client = await ground.database.admin();
  await expect(client.query(`UPDATE elevation_history SET who = 'op:nobody'`)).rejects.toThrow();
  await expect(client.query('DELETE FROM elevation_history')).rejects.toThrow();
  await client.end();
});
