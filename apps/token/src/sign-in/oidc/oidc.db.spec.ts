import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { decodeJwt } from 'jose';
import type pg from 'pg';
import { type Ground, prepareGround, startService } from '../../token.fixture.js';
import { ask, codeOf, factor, makePerson } from '../people.fixture.js';
import { CLIENT, TestProvider } from './provider.fixture.js';

const REDIRECT = 'https://console.example/v1/sign-in/oidc/callback';

let ground: Ground;
let app: NestFastifyApplication;
let admin: pg.Client;
let idp: TestProvider;
let ada: Awaited<ReturnType<typeof makePerson>>;

beforeAll(async () => {
  const bare = await prepareGround();
  idp = await TestProvider.start(REDIRECT);
  const clientSecretFile = join(dirname(bare.config.signingKeys.encryptionKeyFile), 'oidc.secret');
  writeFileSync(clientSecretFile, CLIENT.secret);
  const oidc = {
    issuer: idp.issuer,
    clientId: CLIENT.id,
    clientSecretFile,
    redirectUri: REDIRECT,
    scope: 'openid',
    maxAgeSeconds: 300,
    acrValues: ['urn:idp:two'],
    mfaAcr: ['urn:idp:two'],
    mfaAmr: ['mfa'],
  };
  ground = { ...bare, config: { ...bare.config, people: { ...bare.config.people, oidc } } };
  admin = await ground.database.admin();
  app = await startService(ground, 1);
  ada = await makePerson(ground, 'ada', { roles: 'admin', subject: 'ada-at-the-enterprise' });
}, 60_000);

afterAll(async () => {
  await app?.close();
  await idp?.stop();
  await admin?.end();
  await ground?.stop();
});

async function start() {
  const answer = await ask(ground, '/v1/sign-in/oidc/start');
  expect(answer.status).toBe(302);
  const [cookie] = answer.headers['set-cookie']!;
  return { location: answer.headers.location!, cookie: cookie!, kept: cookie!.split(';', 1)[0]! };
}

const finish = (sentTo: string, kept?: string) =>
  ask(ground, `/v1/sign-in/oidc/callback${new URL(sentTo).search}`, kept ? { headers: { cookie: kept } } : {});

async function signIn(subject: string) {
  const { location, kept } = await start();
  return finish(await idp.browse(location, subject), kept);
}

it('asks the provider with PKCE, state, nonce and a fresh sign-in, and lets the browser keep what it asked', async () => {
  const { location, cookie } = await start();
  const { searchParams } = new URL(location);
  expect(Object.fromEntries(searchParams)).toMatchObject({
    client_id: CLIENT.id,
    redirect_uri: REDIRECT,
    response_type: 'code',
    code_challenge_method: 'S256',
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    state: expect.stringMatching(/^[\w-]{43}$/),
    nonce: expect.stringMatching(/^[\w-]{43}$/),
    max_age: '300',
    acr_values: 'urn:idp:two',
  });
  expect(cookie).toMatch(/^__Host-outrider-oidc=[\w-]+; Max-Age=600; Path=\/; Secure; HttpOnly; SameSite=Lax$/);
  // Sealed: whoever reads the browser's cookies does not read the verifier.
  expect(Buffer.from(cookie.split(/[=;]/)[1]!, 'base64url').toString('latin1')).not.toContain('codeVerifier');
});

describe('whom the provider vouches for', () => {
  it('by two factors, as our rule reads it, gets a token', async () => {
    idp.says = { acr: 'urn:idp:two', amr: ['pwd', 'hwk'] };
    const answer = await signIn('ada-at-the-enterprise');
    expect(answer).toMatchObject({ status: 200, body: { next: [], expires_in: 900 } });
    const claims = decodeJwt(answer.body.access_token);
    expect(claims).toMatchObject({ sub: ada.sub, acr: 'urn:outrider:acr:mfa', amr: ['pwd', 'hwk', 'mfa'] });
    expect(claims.auth_time).toBeLessThanOrEqual(claims.iat!);
  });

  it('by one factor owes us the second', async () => {
    idp.says = { acr: 'urn:idp:one', amr: ['pwd'] };
    const answer = await signIn('ada-at-the-enterprise');
    expect(answer).toMatchObject({ status: 200, body: { next: ['totp'] } });
    expect(answer.body).not.toHaveProperty('access_token');
    const token = await factor(ground, answer.body.sign_in_id, 'totp', codeOf(ada));
    expect(decodeJwt(token.body.access_token)).toMatchObject({ amr: ['pwd', 'otp', 'mfa'] });
  });

  it('is nobody here without a link: no account is made by signing in', async () => {
    idp.says = { acr: 'urn:idp:two' };
    expect(await signIn('eve-at-the-enterprise')).toMatchObject({ status: 401, body: { code: 'sign_in.refused' } });
    const { rows } = await admin.query(`SELECT client_id FROM token.operator_accounts WHERE kind = 'person'`);
    expect(rows).toEqual([{ client_id: 'ada' }]);
  });

  it('is nobody once switched off', async () => {
    await admin.query('UPDATE token.operator_accounts SET enabled = false');
    expect((await signIn('ada-at-the-enterprise')).status).toBe(401);
    await admin.query('UPDATE token.operator_accounts SET enabled = true');
  });
});

describe('an answer', () => {
  it('is good once: the provider gives no second token for a code', async () => {
    idp.says = { acr: 'urn:idp:two' };
    const { location, kept } = await start();
    const sentTo = await idp.browse(location, 'ada-at-the-enterprise');
    expect((await finish(sentTo, kept)).status).toBe(200);
    expect(await finish(sentTo, kept)).toMatchObject({ status: 401, body: { code: 'sign_in.refused' } });
  });

  it('is refused in a browser that did not ask, or asked for another', async () => {
    const one = await start();
    const two = await start();
    const sentTo = await idp.browse(one.location, 'ada-at-the-enterprise');
    expect(await finish(sentTo)).toMatchObject({ status: 401, body: { code: 'sign_in.not_open' } });
    expect(await finish(sentTo, two.kept)).toMatchObject({ status: 401, body: { code: 'sign_in.refused' } });
    const forged = one.kept.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    const broken = await finish(sentTo, `${forged.slice(0, 40)}xxxx${forged.slice(44)}`);
    expect(broken).toMatchObject({ status: 401, body: { code: 'sign_in.not_open' } });
  });

  it('that the person or the provider refused is a refusal', async () => {
    const { location, kept } = await start();
    const state = new URL(location).searchParams.get('state')!;
    const said = `${REDIRECT}?error=access_denied&state=${state}&iss=${encodeURIComponent(idp.issuer)}`;
    expect(await finish(said, kept)).toMatchObject({ status: 401, body: { code: 'sign_in.refused' } });
  });

  it('of another provider is refused (RFC 9207)', async () => {
    const { location, kept } = await start();
    const sentTo = new URL(await idp.browse(location, 'ada-at-the-enterprise'));
    sentTo.searchParams.set('iss', 'https://evil.example');
    expect((await finish(sentTo.href, kept)).status).toBe(401);
  });
});

it('without the provider nobody signs in there: 503, and again when it is back', async () => {
  const { location, kept } = await start();
  const sentTo = await idp.browse(location, 'ada-at-the-enterprise');
  const port = Number(new URL(idp.issuer).port);
  await idp.stop();
  expect(await finish(sentTo, kept)).toMatchObject({ status: 503, body: { code: 'service.upstream_unavailable' } });
  idp = await TestProvider.start(REDIRECT, port);
  idp.says = { acr: 'urn:idp:two' };
  expect((await signIn('ada-at-the-enterprise')).status).toBe(200);
});
