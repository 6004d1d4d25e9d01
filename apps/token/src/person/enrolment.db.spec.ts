import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { ask, codeOf, factor, PASSWORD, password } from '../sign-in/people.fixture.js';
import { type Ground } from '../token.fixture.js';
import { People } from './people-with-factors.fixture.js';
import { parseTotpSecret } from './totp.js';

let people: People;
let ground: Ground;

beforeAll(async () => {
  people = await People.start();
  ground = people.ground;
}, 60_000);

afterAll(() => people?.stop());

beforeEach(() => people.forgetFailures());

describe('a person without a second factor', () => {
  it('gets a token that does nothing but enrol one', async () => {
    const { token, next } = await people.newcomer();
    expect(next).toEqual(['enrol']);
    expect(decodeJwt(token)).toMatchObject({ scope: 'self:enrol', acr: 'urn:outrider:acr:password', amr: ['pwd'] });
    expect(await ask(ground, '/v1/person', { token })).toMatchObject({
      status: 200,
      body: { factors: { totp: false, webauthn: 0, recovery_codes: 0 } },
    });
    expect((await ask(ground, '/v1/elevations', { token })).status).toBe(403);
  });

  it('enrols a code by showing a first one, and signs in with the next', async () => {
    const { token } = await people.enrolled();
    expect(decodeJwt(token)).toMatchObject({ acr: 'urn:outrider:acr:mfa' });
  });

  it('has no factor by a wrong first code', async () => {
    const { token, username } = await people.newcomer();
    await people.post('/v1/person/totp', token);
    expect((await people.post('/v1/person/totp/confirm', token, { code: '000000' })).status).toBe(401);
    expect((await password(ground, username)).body.next).toEqual(['enrol']);
  });

  it('has no recovery codes: there is nothing to recover', async () => {
    const { token } = await people.newcomer();
    expect(await people.post('/v1/person/recovery-codes', token)).toMatchObject({
      body: { code: 'sign_in.factor_missing' },
    });
  });
});

describe('a token of a password alone', () => {
  it.each(['totp', 'webauthn/options', 'recovery-codes'])('changes no factor once there is one: %s', async (path) => {
    const { password: old } = await people.enrolled();
    expect(await people.post(`/v1/person/${path}`, old)).toMatchObject({
      status: 401,
      body: { code: 'auth.step_up_required' },
    });
  });
});

it('a code of enrolment is used up by it', async () => {
  const person = await people.newcomer();
  const { body } = await people.post('/v1/person/totp', person.token);
  const code = codeOf({ secret: parseTotpSecret(body.secret) });
  expect((await people.post('/v1/person/totp/confirm', person.token, { code })).status).toBe(204);
  const { body: begun } = await password(ground, person.username);
  expect((await factor(ground, begun.sign_in_id, 'totp', code)).status).toBe(401);
});

describe('one of several factors', () => {
  const change = (method: string, path: string, token: string, body?: object) =>
    ask(ground, `/v1/person/${path}`, { method, token, ...(body ? { body } : {}) });
  const last = { status: 409, body: { code: 'sign_in.last_factor' } };

  it('is taken away, and the last one never', async () => {
    const { token, username } = await people.withKey();
    const [{ id }] = (await ask(ground, '/v1/person', { token })).body.webauthn_keys;
    expect((await change('DELETE', 'totp', token)).status).toBe(204);
    expect((await password(ground, username)).body.next).toEqual(['webauthn']);
    expect(await change('DELETE', 'totp', token)).toMatchObject({ body: { code: 'sign_in.factor_missing' } });
    expect(await change('DELETE', `webauthn/${id}`, token)).toMatchObject(last);
    expect((await password(ground, username)).body.next).toEqual(['webauthn']);
  });

  it('is taken away by one of two at once', async () => {
    const { token } = await people.withKey();
    const [{ id }] = (await ask(ground, '/v1/person', { token })).body.webauthn_keys;
    const answers = await Promise.all([change('DELETE', 'totp', token), change('DELETE', `webauthn/${id}`, token)]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([204, 409]);
  });

  it('is called otherwise by its owner alone', async () => {
    const { token } = await people.withKey();
    const [{ id, name }] = (await ask(ground, '/v1/person', { token })).body.webauthn_keys;
    expect(name).toBe('key');
    expect((await change('PATCH', `webauthn/${id}`, token, { name: 'the blue one' })).status).toBe(204);
    const other = await people.enrolled();
    for (const [method, body] of [
      ['PATCH', { name: 'mine' }],
      ['DELETE', undefined],
    ] as const)
      expect(await change(method, `webauthn/${id}`, other.token, body)).toMatchObject({ status: 409 });
    const { webauthn_keys } = (await ask(ground, '/v1/person', { token })).body;
    expect(webauthn_keys).toMatchObject([{ id, name: 'the blue one', used_at: null }]);
  });

  it('stays with a token of the password alone', async () => {
    const { password: old } = await people.enrolled();
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
    people.post('/v1/person/password', token, { current_password: current, new_password: next });

  it('is changed by who shows the old one and a factor; whatever the old one has led to is over', async () => {
    const { token, username, sub } = await people.enrolled();
    const { body: underWay } = await password(ground, username);
    const elsewhere = decodeJwt(token);
    const code = { code: 'sign_in.refused' };
    expect(await changed(token, 'a horse that was never correct', NEW)).toMatchObject({ status: 401, body: code });
    expect((await changed(token, PASSWORD, 'short')).status).toBe(400);
    const { body: codes } = await people.post('/v1/person/recovery-codes', token);
    const { body: begun } = await password(ground, username);
    const second = (await factor(ground, begun.sign_in_id, 'recovery', codes.codes[0])).body.access_token as string;
    expect((await changed(second, PASSWORD, NEW)).status).toBe(204);
    expect((await factor(ground, underWay.sign_in_id, 'recovery', codes.codes[1])).status).toBe(401);
    expect((await password(ground, username)).status).toBe(401);
    expect((await password(ground, username, { password: NEW })).status).toBe(200);
    const { rows } = await people.admin.query(
      `SELECT o.jti FROM token.owed_denials o JOIN token.operator_tokens t ON t.jti::text = o.jti WHERE t.account_id = $1`,
      [sub.slice('op:'.length)],
    );
    const owed = rows.map(({ jti }: { jti: string }) => jti);
    expect(owed).toContain(elsewhere.jti);
    expect(owed).not.toContain(decodeJwt(second).jti);
  });

  it('is not changed by a token of the password alone, nor guessed', async () => {
    const { password: old, token } = await people.enrolled();
    expect(await changed(old, PASSWORD, NEW)).toMatchObject({ body: { code: 'auth.step_up_required' } });
    const tries = await Promise.all(Array.from({ length: 12 }, (_, n) => changed(token, `guess number ${n}`, NEW)));
    expect(tries.some(({ body }) => body.code === 'sign_in.slow_down')).toBe(true);
  });
});

describe('recovery codes', () => {
  it('are ten, each good once, however typed; fresh ones end those before', async () => {
    const { token, username } = await people.enrolled();
    const { body } = await people.post('/v1/person/recovery-codes', token);
    expect(new Set(body.codes).size).toBe(10);
    const begin = async () => (await password(ground, username)).body.sign_in_id as string;
    const ids = await Promise.all(Array.from({ length: 5 }, begin));
    const shown = await Promise.all(
      Array.from({ length: 10 }, (_, n) => factor(ground, ids[n % 5]!, 'recovery', body.codes[0])),
    );
    expect(shown.filter(({ status }) => status === 200)).toHaveLength(1);
    await people.admin.query('DELETE FROM token.sign_in_failures');
    const loose = (body.codes[1] as string).toLowerCase().replaceAll('-', ' ');
    expect((await factor(ground, await begin(), 'recovery', loose)).status).toBe(200);
    expect((await ask(ground, '/v1/person', { token })).body.factors.recovery_codes).toBe(8);
    expect((await people.post('/v1/person/recovery-codes', token)).status).toBe(200);
    expect((await factor(ground, await begin(), 'recovery', body.codes[2])).status).toBe(401);
  });

  it("are no one else's", async () => {
    const one = await people.enrolled();
    const two = await people.enrolled();
    const { body } = await people.post('/v1/person/recovery-codes', one.token);
    await people.post('/v1/person/recovery-codes', two.token);
    const { body: begun } = await password(ground, two.username);
    expect((await factor(ground, begun.sign_in_id, 'recovery', body.codes[0])).status).toBe(401);
  });
});
