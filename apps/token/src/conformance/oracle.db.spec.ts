/** The same wrong requests to us and to oidc-provider: status and error name agree, but for what is declared here with its reason. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { issueService, issueVehicle } from '@outrider/testing';
import { SignJWT } from 'jose';
import { ASSERTION_TYPE } from '../operator-client/client-assertion.js';
import { OperatorAccountRepository } from '../operator-client/operator-account.repository.js';
import { device, type Ground, prepareGround, startService } from '../token.fixture.js';
import { type MtlsFetch, mtlsFetch } from './mtls-fetch.fixture.js';
import { type Oracle, startOracle } from './oracle.fixture.js';

const ID = 'device-oracle';
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const strange = generateKeyPairSync('ec', { namedCurve: 'P-256' });
let ground: Ground;
let app: NestFastifyApplication;
let oracle: Oracle;
let by: { vehicle: MtlsFetch; other: MtlsFetch; nobody: MtlsFetch };

beforeAll(async () => {
  ground = await prepareGround();
  app = await startService(ground, 1);
  const publicKeyPem = keys.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const accounts = app.get(OperatorAccountRepository);
  await accounts.upsert({ clientId: 'platform', identity: 'platform', roles: ['resource-server'], publicKeyPem });
  for (const id of [ID, 'device-other']) ground.neighbours.register(id);
  const [vehicle, other, server] = await Promise.all([
    issueVehicle(ground.fleet, device(ID)),
    issueVehicle(ground.fleet, device('device-other')),
    issueService(ground.fleet, 'token'),
  ]);
  oracle = await startOracle(ground.fleet, server, {
    vehicle: { id: ID, uri: vehicle.certificate.sanUris[0] as string },
    platform: { id: 'platform', jwk: { ...keys.publicKey.export({ format: 'jwk' }) } },
  });
  const { fleet } = ground;
  by = { vehicle: mtlsFetch(fleet, vehicle), other: mtlsFetch(fleet, other), nobody: mtlsFetch(fleet) };
}, 60_000);

afterAll(async () => {
  await Promise.all(Object.values(by ?? {}).map((one) => one.close()));
  oracle?.stop();
  await app?.close();
  await ground?.stop();
});

type Said = readonly [status: number, error: string | undefined];
type Form = Record<string, string> | string;

async function post(caller: MtlsFetch, url: string, form: Form, headers: Record<string, string> = {}): Promise<Said> {
  const body = typeof form === 'string' ? form : new URLSearchParams(form).toString();
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = await caller.fetch(url, { method: 'POST', body, headers: { ...type, ...headers } });
  const text = await answer.text();
  return [answer.status, text === '' ? undefined : (JSON.parse(text) as { error?: string }).error];
}

const good = { grant_type: 'client_credentials', client_id: ID, scope: 'telemetry:write' };
const without = (name: keyof typeof good) => Object.fromEntries(Object.entries(good).filter(([key]) => key !== name));

type VehicleCase = [string, Form, { as?: keyof typeof by; headers?: Record<string, string>; ours?: Said }];

it.each<VehicleCase>([
  ['a good request', good, {}],
  ['no grant_type', without('grant_type'), {}],
  ['an unknown grant_type', { ...good, grant_type: 'password' }, {}],
  ['a grant that is not for tokens', { ...good, grant_type: 'implicit' }, {}],
  // RFC 6749 §3.3 lets a server ignore what it does not know, as theirs does, or refuse it: a vehicle would notice later, by a 403.
  ['an unknown scope', { ...good, scope: 'fleet:everything' }, { ours: [400, 'invalid_scope'] }],
  ['an unknown resource', { ...good, resource: 'urn:outrider:nowhere' }, {}],
  ['no client_id', without('client_id'), {}],
  ['an unknown client_id', { ...good, client_id: 'device-nobody' }, {}],
  ["another's client_id", good, { as: 'other' }],
  ['no certificate', good, { as: 'nobody' }],
  ['a parameter twice', `${new URLSearchParams(good)}&client_id=${ID}`, {}],
  // RFC 6749 §2.3: one authentication method a request; theirs takes the certificate and overlooks the secret.
  ['a client_secret beside the certificate', { ...good, client_secret: 'secret' }, { ours: [400, 'invalid_request'] }],
  ['JSON', JSON.stringify(good), { headers: { 'content-type': 'application/json' } }],
])('a vehicle with %s is told the same', async (_name, form, { as = 'vehicle', headers, ours: expected }) => {
  const ours = await post(
    by[as],
    `https://127.0.0.1:${ground.config.listeners.vehicle?.port}/oauth2/token`,
    form,
    headers,
  );
  const theirs = await post(by[as], `${oracle.origin}/token`, form, headers);
  expect(ours).toEqual(expected ?? theirs);
  if (expected) expect(theirs).not.toEqual(expected);
});

async function assertion(audience: string, more: object = {}, key = keys.privateKey): Promise<Record<string, string>> {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'platform',
    sub: 'platform',
    aud: audience,
    iat: now,
    exp: now + 60,
    jti: randomUUID(),
    ...more,
  };
  const jwt = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(key);
  return { client_id: 'platform', client_assertion_type: ASSERTION_TYPE, client_assertion: jwt };
}

type OperatorCase = [string, (audience: string) => Promise<Form>, { path?: 'introspect'; ours?: Said }];

const asked = (more?: object, key?: typeof keys.privateKey) => async (audience: string) => ({
  grant_type: 'client_credentials',
  ...(await assertion(audience, more, key)),
});

it.each<OperatorCase>([
  ['a good assertion', asked(), {}],
  ['no authentication', async () => ({ grant_type: 'client_credentials', client_id: 'platform' }), {}],
  ["a stranger's key", asked({}, strange.privateKey), {}],
  ['an assertion that is over', asked({ iat: 1, exp: 2 }), {}],
  ['an assertion for somebody else', asked({ aud: 'https://elsewhere.example' }), {}],
  // Theirs compares `sub` with client_id before it authenticates; to us the whole assertion is the authentication (RFC 7521 §4.2.1).
  ["another's subject", asked({ sub: 'other' }), { ours: [401, 'invalid_client'] }],
  ['no jti', asked({ jti: undefined }), {}],
  // As for a vehicle, above.
  [
    'an unknown scope',
    async (audience) => ({ ...(await asked()(audience)), scope: 'fleet:everything' }),
    { ours: [400, 'invalid_scope'] },
  ],
  // RFC 6749 §5.2 counts an authentication method that is not supported as invalid_client.
  [
    'another assertion type',
    async (audience) => ({ ...(await asked()(audience)), client_assertion_type: 'urn:other' }),
    { ours: [401, 'invalid_client'] },
  ],
  ['a question about no token', assertion, { path: 'introspect' }],
  [
    'a question about a strange token',
    async (audience) => ({ ...(await assertion(audience)), token: 'x' }),
    { path: 'introspect' },
  ],
  // RFC 7662 §2.3: 401 with RFC 6749's invalid_client.
  [
    'a question without authentication',
    async () => ({ token: 'x' }),
    { path: 'introspect', ours: [401, 'invalid_client'] },
  ],
])('a service account with %s is told the same', async (_name, form, { path, ours: expected }) => {
  const { tokenIssuer, operatorUrl } = ground.config;
  const ours = await post(by.nobody, `${operatorUrl}/oauth2/${path ?? 'token'}`, await form(tokenIssuer));
  const at = path === undefined ? '/token' : '/token/introspection';
  const theirs = await post(by.nobody, `${oracle.origin}${at}`, await form(oracle.origin));
  expect(ours).toEqual(expected ?? theirs);
  if (expected) expect(theirs).not.toEqual(expected);
});
