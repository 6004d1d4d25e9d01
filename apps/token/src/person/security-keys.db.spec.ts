import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { password } from '../sign-in/people.fixture.js';
import { type Ground } from '../token.fixture.js';
import { SoftAuthenticator } from './authenticator.fixture.js';
import { People } from './people-with-factors.fixture.js';

let people: People;
let ground: Ground;

beforeAll(async () => {
  people = await People.start();
  ground = people.ground;
}, 60_000);

afterAll(() => people?.stop());

beforeEach(() => people.forgetFailures());

describe('a security key', () => {
  it('is registered, and signs in', async () => {
    const { username, key } = await people.withKey();
    const { body: begun } = await password(ground, username);
    expect(begun.next).toEqual(['totp', 'webauthn']);
    const asked = await people.challenge(username);
    const answer = await people.show(asked.id, key.authenticate(asked.challenge));
    expect(answer.status).toBe(200);
    expect(decodeJwt(answer.body.access_token)).toMatchObject({ amr: ['pwd', 'hwk', 'user', 'mfa'] });
  });

  it('answers a challenge once', async () => {
    const { username, key } = await people.withKey();
    const asked = await people.challenge(username);
    const response = key.authenticate(asked.challenge);
    const shown = await Promise.all(Array.from({ length: 10 }, () => people.show(asked.id, response)));
    expect(shown.filter(({ status }) => status === 200)).toHaveLength(1);
    const again = await people.challenge(username);
    expect((await people.show(again.id, response)).status).toBe(401);
  });

  it.each<[string, object]>([
    ['without the person verified', { flags: 0x01 }],
    ['without the person present', { flags: 0x00 }],
    ["for another site's origin", { origin: 'https://evil.example' }],
    ['with a counter that has been', { counter: 1 }],
  ])('is refused %s', async (_name, changed) => {
    const { username, key } = await people.withKey();
    const asked = await people.challenge(username);
    expect((await people.show(asked.id, key.authenticate(asked.challenge, changed))).status).toBe(401);
  });

  it('is refused for another sign-in, another site, another key, and for rubbish', async () => {
    const { username, key } = await people.withKey();
    const one = await people.challenge(username);
    const two = await people.challenge(username);
    expect((await people.show(one.id, key.authenticate(two.challenge))).status).toBe(401);
    const three = await people.challenge(username);
    const elsewhere = new SoftAuthenticator('localhost', 'https://localhost');
    expect(
      (await people.show(three.id, { ...elsewhere.authenticate(three.challenge), id: key.id.toString('base64url') }))
        .status,
    ).toBe(401);
    const four = await people.challenge(username);
    expect((await people.show(four.id, { id: key.id.toString('base64url'), response: {} })).status).toBe(401);
  });

  it.each<[string, object]>([
    ['without the person verified', { flags: 0x41 }],
    ["for another site's origin", { origin: 'https://evil.example' }],
  ])('is not registered %s', async (_name, changed) => {
    const { token } = await people.enrolled();
    const key = new SoftAuthenticator('localhost', 'https://localhost');
    const { body: options } = await people.post('/v1/person/webauthn/options', token);
    const response = key.register(options.challenge, changed);
    expect((await people.post('/v1/person/webauthn', token, { name: 'key', response })).status).toBe(401);
  });

  it('is not registered twice, and its challenge is answered once', async () => {
    const { token, key } = await people.withKey();
    const { body: options } = await people.post('/v1/person/webauthn/options', token);
    expect(options.excludeCredentials).toHaveLength(1);
    const body = { name: 'again', response: key.register(options.challenge) };
    expect((await people.post('/v1/person/webauthn', token, body)).status).toBe(401);
    const other = new SoftAuthenticator('localhost', 'https://localhost');
    const late = { name: 'late', response: other.register(options.challenge) };
    expect((await people.post('/v1/person/webauthn', token, late)).status).toBe(401);
  });
});
