import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Database } from '@outrider/platform/postgres';
import { decodeJwt } from 'jose';
import type pg from 'pg';
import { ask, codeOf, factor, PASSWORD, password } from '../sign-in/people.fixture.js';
import { type Ground, prepareGround, startService } from '../token.fixture.js';
import { SoftAuthenticator } from './authenticator.fixture.js';
import { hashPassword, SALT_BYTES } from './password-hash.js';
import { Persons } from './persons.repository.js';
import { parseTotpSecret } from './totp.js';

let ground: Ground;
let app: NestFastifyApplication;
let admin: pg.Client;
let people = 0;
let hash: string;

beforeAll(async () => {
  ground = await prepareGround();
  admin = await ground.database.admin();
  app = await startService(ground, 1);
  hash = await hashPassword(PASSWORD, randomBytes(SALT_BYTES));
}, 60_000);

afterAll(async () => {
  await app?.close();
  await admin?.end();
  await ground?.stop();
});

beforeEach(() => admin.query('DELETE FROM token.sign_in_failures'));

const post = (path: string, token: string, body: object = {}) => ask(ground, path, { token, body });

/** A person without a factor, and the token that a password alone gives. */
async function newcomer() {
  people += 1;
  const username = `person-${people}`;
  const persons = app.get(Persons);
  const { id } = await app.get(Database).transaction(async (tx) => {
    const made = await persons.upsert(tx, { username, identity: username, roles: ['viewer'] });
    await persons.setPassword(tx, made!.id, hash);
    return made!;
  });
  const person = { username, sub: `op:${id}` };
  const { body } = await password(ground, person.username);
  return { ...person, token: body.access_token as string, next: body.next as string[] };
}

/** A person who enrolled a code, signed in with it. */
async function enrolled() {
  const person = await newcomer();
  const { body } = await post('/v1/person/totp', person.token);
  const secret = parseTotpSecret(body.secret);
  expect((await post('/v1/person/totp/confirm', person.token, { code: codeOf({ secret }) })).status).toBe(204);
  const { body: begun } = await password(ground, person.username);
  const { body: signedIn } = await factor(ground, begun.sign_in_id, 'totp', codeOf({ secret }, 1));
  return { ...person, secret, password: person.token, token: signedIn.access_token as string };
}

async function withKey() {
  const person = await enrolled();
  const key = new SoftAuthenticator('localhost', 'https://localhost');
  const { body: options } = await post('/v1/person/webauthn/options', person.token);
  const response = key.register(options.challenge);
  expect((await post('/v1/person/webauthn', person.token, { name: 'key', response })).status).toBe(204);
  return { ...person, key };
}

async function challenge(username: string): Promise<{ id: string; challenge: string }> {
  const { body } = await password(ground, username);
  const options = await ask(ground, `/v1/sign-in/${body.sign_in_id}/webauthn/options`, { body: {} });
  expect(options).toMatchObject({ status: 200, body: { userVerification: 'required', rpId: 'localhost' } });
  return { id: body.sign_in_id, challenge: options.body.challenge };
}

const show = (id: string, response: object) => ask(ground, `/v1/sign-in/${id}/webauthn`, { body: { response } });

describe('a person without a second factor', () => {
  it('gets a token that does nothing but enrol one', async () => {
    const { token, next } = await newcomer();
    expect(next).toEqual(['enrol']);
    expect(decodeJwt(token)).toMatchObject({ scope: 'self:enrol', acr: 'urn:outrider:acr:password', amr: ['pwd'] });
    expect(await ask(ground, '/v1/person', { token })).toMatchObject({
      status: 200,
      body: { factors: { totp: false, webauthn: 0, recovery_codes: 0 } },
    });
    expect((await ask(ground, '/v1/elevations', { token })).status).toBe(403);
  });

  it('enrols a code by showing a first one, and signs in with the next', async () => {
    const { token } = await enrolled();
    expect(decodeJwt(token)).toMatchObject({ acr: 'urn:outrider:acr:mfa' });
  });

  it('has no factor by a wrong first code', async () => {
    const { token, username } = await newcomer();
    await post('/v1/person/totp', token);
    expect((await post('/v1/person/totp/confirm', token, { code: '000000' })).status).toBe(401);
    expect((await password(ground, username)).body.next).toEqual(['enrol']);
  });

  it('has no recovery codes: there is nothing to recover', async () => {
    const { token } = await newcomer();
    expect(await post('/v1/person/recovery-codes', token)).toMatchObject({ body: { code: 'sign_in.factor_missing' } });
  });
});

describe('a token of a password alone', () => {
  it.each(['totp', 'webauthn/options', 'recovery-codes'])('changes no factor once there is one: %s', async (path) => {
    const { password: old } = await enrolled();
    expect(await post(`/v1/person/${path}`, old)).toMatchObject({
      status: 401,
      body: { code: 'auth.step_up_required' },
    });
  });
});

it('a code of enrolment is used up by it', async () => {
  const person = await newcomer();
  const { body } = await post('/v1/person/totp', person.token);
  const code = codeOf({ secret: parseTotpSecret(body.secret) });
  expect((await post('/v1/person/totp/confirm', person.token, { code })).status).toBe(204);
  const { body: begun } = await password(ground, person.username);
  expect((await factor(ground, begun.sign_in_id, 'totp', code)).status).toBe(401);
});

describe('one of several factors', () => {
  const change = (method: string, path: string, token: string, body?: object) =>
    ask(ground, `/v1/person/${path}`, { method, token, ...(body ? { body } : {}) });
  const last = { status: 409, body: { code: 'sign_in.last_factor' } };

  it('is taken away, and the last one never', async () => {
    const { token, username } = await withKey();
    const [{ id }] = (await ask(ground, '/v1/person', { token })).body.webauthn_keys;
    expect((await change('DELETE', 'totp', token)).status).toBe(204);
    expect((await password(ground, username)).body.next).toEqual(['webauthn']);
    expect(await change('DELETE', 'totp', token)).toMatchObject({ body: { code: 'sign_in.factor_missing' } });
    expect(await change('DELETE', `webauthn/${id}`, token)).toMatchObject(last);
    expect((await password(ground, username)).body.next).toEqual(['webauthn']);
  });

  it('is taken away by one of two at once', async () => {
    const { token } = await withKey();
    const [{ id }] = (await ask(ground, '/v1/person', { token })).body.webauthn_keys;
    const answers = await Promise.all([change('DELETE', 'totp', token), change('DELETE', `webauthn/${id}`, token)]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([204, 409]);
  });

  it('is called otherwise by its owner alone', async () => {
    const { token } = await withKey();
    const [{ id, name }] = (await ask(ground, '/v1/person', { token })).body.webauthn_keys;
    expect(name).toBe('key');
    expect((await change('PATCH', `webauthn/${id}`, token, { name: 'the blue one' })).status).toBe(204);
    const other = await enrolled();
    for (const [method, body] of [
      ['PATCH', { name: 'mine' }],
      ['DELETE', undefined],
    ] as const)
      expect(await change(method, `webauthn/${id}`, other.token, body)).toMatchObject({ status: 409 });
    const { webauthn_keys } = (await ask(ground, '/v1/person', { token })).body;
    expect(webauthn_keys).toMatchObject([{ id, name: 'the blue one', used_at: null }]);
  });

  it('stays with a token of the password alone', async () => {
    const { password: old } = await enrolled();
    for (const [method, path] of [
      ['DELETE', 'totp'],
      ['DELETE', 'webauthn/x'],
      ['PATCH', 'webauthn/x'],
    ] as const)
      expect(await change(method, path, old, method === 'PATCH' ? { name: 'x' } : undefined)).toMatchObject({
        body: { code: 'auth.step_up_required' },
      });
  });
});

describe('a password', () => {
  const NEW = 'another horse, another battery';
  const changed = (token: string, current: string, next: string) =>
    post('/v1/person/password', token, { current_password: current, new_password: next });

  it('is changed by who shows the old one and a factor; whatever the old one has led to is over', async () => {
    const { token, username, sub } = await enrolled();
    const { body: underWay } = await password(ground, username);
    const elsewhere = decodeJwt(token);
    const code = { code: 'sign_in.refused' };
    expect(await changed(token, 'a horse that was never correct', NEW)).toMatchObject({ status: 401, body: code });
    expect((await changed(token, PASSWORD, 'short')).status).toBe(400);
    const { body: codes } = await post('/v1/person/recovery-codes', token);
    const { body: begun } = await password(ground, username);
    const second = (await factor(ground, begun.sign_in_id, 'recovery', codes.codes[0])).body.access_token as string;
    expect((await changed(second, PASSWORD, NEW)).status).toBe(204);
    expect((await factor(ground, underWay.sign_in_id, 'recovery', codes.codes[1])).status).toBe(401);
    expect((await password(ground, username)).status).toBe(401);
    expect((await password(ground, username, { password: NEW })).status).toBe(200);
    const { rows } = await admin.query(
      `SELECT o.jti FROM token.owed_denials o JOIN token.operator_tokens t ON t.jti::text = o.jti WHERE t.account_id = $1`,
      [sub.slice('op:'.length)],
    );
    const owed = rows.map(({ jti }: { jti: string }) => jti);
    expect(owed).toContain(elsewhere.jti);
    expect(owed).not.toContain(decodeJwt(second).jti);
  });

  it('is not changed by a token of the password alone, nor guessed', async () => {
    const { password: old, token } = await enrolled();
    expect(await changed(old, PASSWORD, NEW)).toMatchObject({ body: { code: 'auth.step_up_required' } });
    const tries = await Promise.all(Array.from({ length: 12 }, (_, n) => changed(token, `guess number ${n}`, NEW)));
    expect(tries.some(({ body }) => body.code === 'sign_in.slow_down')).toBe(true);
  });
});

describe('recovery codes', () => {
  it('are ten, each good once, however typed; fresh ones end those before', async () => {
    const { token, username } = await enrolled();
    const { body } = await post('/v1/person/recovery-codes', token);
    expect(new Set(body.codes).size).toBe(10);
    const begin = async () => (await password(ground, username)).body.sign_in_id as string;
    const ids = await Promise.all(Array.from({ length: 5 }, begin));
    const shown = await Promise.all(
      Array.from({ length: 10 }, (_, n) => factor(ground, ids[n % 5]!, 'recovery', body.codes[0])),
    );
    expect(shown.filter(({ status }) => status === 200)).toHaveLength(1);
    await admin.query('DELETE FROM token.sign_in_failures');
    const loose = (body.codes[1] as string).toLowerCase().replaceAll('-', ' ');
    expect((await factor(ground, await begin(), 'recovery', loose)).status).toBe(200);
    expect((await ask(ground, '/v1/person', { token })).body.factors.recovery_codes).toBe(8);
    expect((await post('/v1/person/recovery-codes', token)).status).toBe(200);
    expect((await factor(ground, await begin(), 'recovery', body.codes[2])).status).toBe(401);
  });

  it("are no one else's", async () => {
    const one = await enrolled();
    const two = await enrolled();
    const { body } = await post('/v1/person/recovery-codes', one.token);
    await post('/v1/person/recovery-codes', two.token);
    const { body: begun } = await password(ground, two.username);
    expect((await factor(ground, begun.sign_in_id, 'recovery', body.codes[0])).status).toBe(401);
  });
});

describe('a security key', () => {
  it('is registered, and signs in', async () => {
    const { username, key } = await withKey();
    const { body: begun } = await password(ground, username);
    expect(begun.next).toEqual(['totp', 'webauthn']);
    const asked = await challenge(username);
    const answer = await show(asked.id, key.authenticate(asked.challenge));
    expect(answer.status).toBe(200);
    expect(decodeJwt(answer.body.access_token)).toMatchObject({ amr: ['pwd', 'hwk', 'user', 'mfa'] });
  });

  it('answers a challenge once', async () => {
    const { username, key } = await withKey();
    const asked = await challenge(username);
    const response = key.authenticate(asked.challenge);
    const shown = await Promise.all(Array.from({ length: 10 }, () => show(asked.id, response)));
    expect(shown.filter(({ status }) => status === 200)).toHaveLength(1);
    const again = await challenge(username);
    expect((await show(again.id, response)).status).toBe(401);
  });

  it.each<[string, object]>([
    ['without the person verified', { flags: 0x01 }],
    ['without the person present', { flags: 0x00 }],
    ["for another site's origin", { origin: 'https://evil.example' }],
    ['with a counter that has been', { counter: 1 }],
  ])('is refused %s', async (_name, changed) => {
    const { username, key } = await withKey();
    const asked = await challenge(username);
    expect((await show(asked.id, key.authenticate(asked.challenge, changed))).status).toBe(401);
  });

  it('is refused for another sign-in, another site, another key, and for rubbish', async () => {
    const { username, key } = await withKey();
    const one = await challenge(username);
    const two = await challenge(username);
    expect((await show(one.id, key.authenticate(two.challenge))).status).toBe(401);
    const three = await challenge(username);
    const elsewhere = new SoftAuthenticator('localhost', 'https://localhost');
    expect(
      (await show(three.id, { ...elsewhere.authenticate(three.challenge), id: key.id.toString('base64url') })).status,
    ).toBe(401);
    const four = await challenge(username);
    expect((await show(four.id, { id: key.id.toString('base64url'), response: {} })).status).toBe(401);
  });

  it.each<[string, object]>([
    ['without the person verified', { flags: 0x41 }],
    ["for another site's origin", { origin: 'https://evil.example' }],
  ])('is not registered %s', async (_name, changed) => {
    const { token } = await enrolled();
    const key = new SoftAuthenticator('localhost', 'https://localhost');
    const { body: options } = await post('/v1/person/webauthn/options', token);
    const response = key.register(options.challenge, changed);
    expect((await post('/v1/person/webauthn', token, { name: 'key', response })).status).toBe(401);
  });

  it('is not registered twice, and its challenge is answered once', async () => {
    const { token, key } = await withKey();
    const { body: options } = await post('/v1/person/webauthn/options', token);
    expect(options.excludeCredentials).toHaveLength(1);
    const body = { name: 'again', response: key.register(options.challenge) };
    expect((await post('/v1/person/webauthn', token, body)).status).toBe(401);
    const other = new SoftAuthenticator('localhost', 'https://localhost');
    const late = { name: 'late', response: other.register(options.challenge) };
    expect((await post('/v1/person/webauthn', token, late)).status).toBe(401);
  });
});
