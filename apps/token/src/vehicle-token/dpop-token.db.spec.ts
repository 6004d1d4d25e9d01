import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { JWS_TYP, sha256Base64url, signJws } from '@outrider/crypto';
import { issueService, issueVehicle, type Party } from '@outrider/testing';
import { type Answer, call, device, type Ground, prepareGround, startService, until } from '../token.fixture.js';

const ID = 'dpop-1';
let ground: Ground;
let app: NestFastifyApplication;
let party: Party;
let url: string;
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
const jkt = sha256Base64url(JSON.stringify({ crv, kty, x, y }));

beforeAll(async () => {
  ground = await prepareGround();
  app = await startService(ground, 1);
  ground.neighbours.register(ID, { grants: ['command:receive'] });
  party = await issueVehicle(ground.fleet, device(ID));
  url = `https://127.0.0.1:${ground.config.listeners.vehicle!.port}/oauth2/token`;
}, 60_000);

afterAll(async () => {
  await app?.close();
  await ground?.stop();
});

function prove(changed: object = {}): string {
  const payload = { jti: randomUUID(), iat: Math.floor(Date.now() / 1000), htm: 'POST', htu: url, ...changed };
  return signJws({
    header: { typ: JWS_TYP.dpop, jwk: { kty, crv, x, y } },
    payload: JSON.stringify(payload),
    key: privateKey,
  });
}

function ask(dpop: string | undefined, fields: object = {}, more: { by?: Party; headers?: object } = {}) {
  const form = { grant_type: 'client_credentials', client_id: ID, ...fields };
  const headers = { ...(dpop === undefined ? {} : { dpop }), ...more.headers } as Record<string, string>;
  return call(ground, 'vehicle', '/oauth2/token', { party: more.by ?? party, form, headers });
}

async function nonce(): Promise<string> {
  const { status, headers, body } = await ask(prove());
  expect({ status, error: body.error }).toEqual({ status: 400, error: 'use_dpop_nonce' });
  return String(headers['dpop-nonce']);
}

const claimsOf = ({ body }: Answer) =>
  JSON.parse(Buffer.from(String(body.access_token).split('.')[1] as string, 'base64url').toString());

describe('a proof at the token endpoint (RFC 9449 §5)', () => {
  it('binds the token to its key beside the certificate', async () => {
    const answer = await ask(prove({ nonce: await nonce() }));
    expect(answer).toMatchObject({ status: 200, body: { token_type: 'DPoP', scope: 'telemetry:write' } });
    expect(claimsOf(answer).cnf).toEqual({ 'x5t#S256': party.certificate.thumbprint, jkt });
  });

  it('binds control tokens likewise', async () => {
    const answer = await ask(prove({ nonce: await nonce() }), { scope: 'command:receive' });
    expect(answer).toMatchObject({ status: 200, body: { token_type: 'DPoP' } });
    expect(claimsOf(answer).cnf.jkt).toBe(jkt);
  });

  it('is needed by nobody with a connection of its own', async () => {
    const answer = await ask(undefined);
    expect(answer.body.token_type).toBe('Bearer');
    expect(claimsOf(answer).cnf).toEqual({ 'x5t#S256': party.certificate.thumbprint });
  });

  it('serves once', async () => {
    const proof = prove({ nonce: await nonce() });
    expect((await ask(proof)).status).toBe(200);
    expect(await ask(proof)).toMatchObject({ status: 400, body: { error: 'invalid_dpop_proof' } });
  });

  it('is not used up by a request that is refused', async () => {
    const proof = prove({ nonce: await nonce() });
    expect((await ask(proof, { scope: 'command:critical' })).body.error).toBe('invalid_scope');
    expect((await ask(proof)).status).toBe(200);
  });

  it.each<[string, () => string]>([
    ['of another URL', () => prove({ htu: `${url}s` })],
    ['of another method', () => prove({ htm: 'GET' })],
    ['twice', () => `${prove()}, ${prove()}`],
    ['that is none', () => 'x'],
  ])('is refused %s', async (_name, proof) => {
    expect(await ask(proof())).toMatchObject({ status: 400, body: { error: 'invalid_dpop_proof' } });
  });

  it('is refused while nobody knows which proofs were used', async () => {
    const fresh = prove({ nonce: await nonce() });
    ground.postgres.cut();
    const answer = await ask(fresh);
    const plain = await ask(undefined);
    await ground.postgres.mend();
    expect(answer).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } });
    expect(plain.status).toBe(200);
    await until(async () => (await ask(prove({ nonce: await nonce() }))).status === 200);
  }, 30_000);
});

describe('through a configured proxy', () => {
  let edge: Party;
  const forwarded = () => ({ 'client-cert': `:${Buffer.from(party.certificate.der).toString('base64')}:` });
  const through = (dpop: string | undefined, fields: object = {}) =>
    ask(dpop, fields, { by: edge, headers: forwarded() });

  beforeAll(async () => {
    edge = await issueService(ground.fleet, 'edge-1');
  });

  it('the forwarded certificate stands for the connection', async () => {
    const answer = await through(undefined);
    expect(answer.status).toBe(200);
    expect(claimsOf(answer).cnf).toEqual({ 'x5t#S256': party.certificate.thumbprint });
  });

  it('control needs a proof', async () => {
    const scope = 'command:receive';
    expect(await through(undefined, { scope })).toMatchObject({ status: 400, body: { error: 'invalid_dpop_proof' } });
    const htu = 'https://edge.example.com/oauth2/token';
    const answer = await through(prove({ htu, nonce: await nonce() }), { scope });
    expect(answer).toMatchObject({ status: 200, body: { token_type: 'DPoP' } });
  });

  it('a proxy gets nothing for itself', async () => {
    expect((await ask(undefined, {}, { by: edge })).status).toBe(401);
  });
});
