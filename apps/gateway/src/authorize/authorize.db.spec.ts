import https from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sha256Base64url } from '@outrider/crypto';
import { createTestFleet, issueVehicle, until } from '@outrider/testing';
import { Apis } from './apis.store.js';
import { A, ask, asNginx, B, dpopKey, type EdgeSuite, HOST, startEdgeSuite, xfcc } from './edge.fixture.js';

const TRIPS = `/v1/vehicles/${A}/trips`;
const key = dpopKey();
let suite: EdgeSuite;

beforeAll(async () => {
  suite = await startEdgeSuite();
}, 60_000);
afterAll(() => suite?.stop());

/** As nginx asks. */
function nginx(target: string, headers: Record<string, string>, { method = 'GET', edge = suite.parties.edge } = {}) {
  return ask(suite, edge, '/authorize/nginx', asNginx(method, target, headers));
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const ofA = () => ({ 'x-forwarded-client-cert': xfcc(suite.parties.a), ...bearer(suite.tokenOf(suite.parties.a, A)) });
const told = ({ status, headers }: Awaited<ReturnType<typeof nginx>>) =>
  [status, headers['x-outrider-status'], headers['x-outrider-code']].filter(Boolean).join(' ');

describe('nginx asks', () => {
  it('whether a vehicle may, and hears who it is', async () => {
    const answer = await nginx(TRIPS, ofA());
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'x-outrider-device': A,
      'x-outrider-thumbprint': suite.parties.a.certificate.thumbprint,
      'x-outrider-token-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      'x-outrider-scope': 'trips:read',
      'x-outrider-admitted-by': 'token',
      'cache-control': 'no-store',
    });
    expect(answer.headers).not.toHaveProperty('x-outrider-recovery');
  });

  it('by RFC 9440 too', async () => {
    const der = Buffer.from(suite.parties.a.certificate.der).toString('base64');
    const { 'x-forwarded-client-cert': _, ...rest } = ofA();
    expect((await nginx(TRIPS, { ...rest, 'client-cert': `:${der}:` })).status).toBe(200);
    expect(told(await nginx(TRIPS, { ...ofA(), 'client-cert': `:${der}:` }))).toBe(
      '403 400 auth.forwarded_certificate_invalid',
    );
  });

  const b = () => ({ 'x-forwarded-client-cert': xfcc(suite.parties.b) });
  it.each<[string, string, () => Record<string, string>, string]>([
    [
      'a stolen token over another connection (attack 9)',
      TRIPS,
      () => ({ ...ofA(), ...b() }),
      '401 401 auth.token_binding_mismatch',
    ],
    [
      'a token without a certificate (attack 10)',
      TRIPS,
      () => bearer(suite.tokenOf(suite.parties.a, A)),
      '401 401 tls.certificate_required',
    ],
    [
      'a certificate without a token',
      TRIPS,
      () => ({ 'x-forwarded-client-cert': xfcc(suite.parties.a) }),
      '401 401 auth.token_missing',
    ],
    ["another's resource (attack 8)", `/v1/vehicles/${B}/trips`, ofA, '403 403 auth.wrong_device'],
    ["another's resource by certificate", `/v1/vehicles/${B}/certificate`, ofA, '403 403 auth.wrong_device'],
    [
      'a token of another audience',
      TRIPS,
      () => ({ ...ofA(), ...bearer(suite.tokenOf(suite.parties.a, A, { aud: 'urn:outrider:telemetry' })) }),
      '401 401 auth.token_invalid',
    ],
    [
      'a token without the scope',
      TRIPS,
      () => ({ ...ofA(), ...bearer(suite.tokenOf(suite.parties.a, A, { scope: 'other' })) }),
      '403 403 auth.scope_insufficient',
    ],
    [
      "an operator's token (attack 25)",
      TRIPS,
      () => ({ ...ofA(), ...bearer(suite.tokenOf(suite.parties.a, A, { aud: 'urn:outrider:operator' })) }),
      '401 401 auth.token_invalid',
    ],
    ['control without a key', `/v1/vehicles/${A}/doors`, ofA, '401 401 auth.dpop_required'],
    [
      'two tokens',
      TRIPS,
      () => ({ ...ofA(), authorization: `Bearer a.b.c, ${ofA().authorization}` }),
      '401 401 auth.token_missing',
    ],
    ['a token in the query', `${TRIPS}?access_token=x`, ofA, '403 400 auth.token_in_query'],
    ['no rule', '/v1/secrets', ofA, '403 403 gateway.route_unknown'],
    ['a closed rule', '/v1/admin/users', ofA, '403 403 gateway.route_unknown'],
    ['dots in the path', `/v1/vehicles/${A}/trips/../../admin`, ofA, '403 400 gateway.path_ambiguous'],
    ['two slashes', `//v1/vehicles/${A}/trips`, ofA, '403 400 gateway.path_ambiguous'],
    [
      'a host of nobody',
      TRIPS,
      () => ({ ...ofA(), 'x-original-host': 'other.example.com' }),
      '403 403 gateway.route_unknown',
    ],
    [
      'no address',
      TRIPS,
      () => ({ ...ofA(), 'x-original-remote-addr': 'unix:' }),
      '403 400 gateway.edge_request_invalid',
    ],
  ])('%s', async (_name, target, headers, wanted) => {
    const method = wanted.includes('dpop') ? 'POST' : 'GET';
    expect(told(await nginx(target, headers(), { method }))).toBe(wanted);
  });

  it('for a method that the rule has not: HEAD goes with GET, OPTIONS with nothing', async () => {
    expect((await nginx(TRIPS, ofA(), { method: 'HEAD' })).status).toBe(200);
    expect((await nginx(TRIPS, ofA(), { method: 'PUT' })).status).toBe(200);
    for (const method of ['OPTIONS', 'DELETE', 'POST', 'get'])
      expect(told(await nginx(TRIPS, ofA(), { method }))).toBe('403 403 gateway.route_unknown');
  });

  it('for a route of anyone: nobody is named, whatever is shown', async () => {
    const answer = await nginx('/status', ofA());
    expect(answer.status).toBe(200);
    expect(answer.headers['x-outrider-admitted-by']).toBe('anyone');
    expect(answer.headers).not.toHaveProperty('x-outrider-device');
  });

  it('with a certificate of another fleet, or with none that can be read', async () => {
    const foreign = await issueVehicle(await createTestFleet(), A);
    expect(told(await nginx(TRIPS, { ...ofA(), 'x-forwarded-client-cert': xfcc(foreign) }))).toBe(
      '401 401 tls.certificate_invalid',
    );
    expect(told(await nginx(TRIPS, { ...ofA(), 'x-forwarded-client-cert': 'Cert="x"' }))).toBe(
      '403 400 auth.forwarded_certificate_invalid',
    );
  });
});

describe('a revocation', () => {
  it('counts at the next question on a connection that was open, and is no use against a cached decision', async () => {
    const party = await issueVehicle(suite.fleet, B);
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    const headers = { 'x-forwarded-client-cert': xfcc(party), ...bearer(suite.tokenOf(party, B)) };
    const once = () =>
      ask(suite, suite.parties.edge, '/authorize/nginx', asNginx('GET', `/v1/vehicles/${B}/trips`, headers), { agent });
    expect((await once()).status).toBe(200);
    expect((await once()).status).toBe(200);
    await suite.denier.deny({ kind: 'certificate', value: party.certificate.thumbprint });
    await until(async () => (await once()).status !== 200);
    expect(told(await once())).toBe('403 403 denylist.certificate');
    agent.destroy();
  });

  it('of a token, and of a network by the address that the edge says', async () => {
    const headers = ofA();
    const network = { kind: 'network', value: '198.51.100.0/24' } as const;
    await suite.denier.deny(network);
    await until(
      async () =>
        told(await nginx(TRIPS, { ...headers, 'x-original-remote-addr': '198.51.100.9' })) ===
        '403 403 denylist.network',
    );
    expect((await nginx(TRIPS, headers)).status).toBe(200);
    const { 'x-outrider-token-id': tokenId } = (await nginx(TRIPS, headers)).headers;
    await suite.denier.deny({ kind: 'token', value: tokenId as string });
    await until(async () => told(await nginx(TRIPS, headers)) === '401 401 denylist.token');
    expect((await nginx(TRIPS, ofA())).status).toBe(200);
  });

  it('in recovery mode leaves open what is marked for it', async () => {
    const party = await issueVehicle(suite.fleet, B);
    const headers = { 'x-forwarded-client-cert': xfcc(party), ...bearer(suite.tokenOf(party, B)) };
    const entry = { kind: 'certificate', value: party.certificate.thumbprint, mode: 'recovery' } as const;
    await suite.denier.deny(entry);
    await until(async () => (await nginx(`/v1/vehicles/${B}/trips`, headers)).status === 403);
    const answer = await nginx('/v1/recovery', headers);
    expect(answer.headers).toMatchObject({ 'x-outrider-device': B, 'x-outrider-recovery': 'true' });
  });
});

describe('a DPoP proof', () => {
  const target = `/v1/vehicles/${A}/doors`;
  const token = () => suite.tokenOf(suite.parties.a, A, {}, { jkt: key.jkt });
  const proven = (compact: string, claims: object) => ({
    'x-forwarded-client-cert': xfcc(suite.parties.a),
    authorization: `DPoP ${compact}`,
    dpop: key.prove({ htm: 'POST', htu: `https://${HOST}${target}`, ath: sha256Base64url(compact), ...claims }),
  });

  it('opens control, once, for the public URL of the API', async () => {
    const compact = token();
    const first = await nginx(target, proven(compact, {}), { method: 'POST' });
    expect(told(first)).toBe('401 401 auth.dpop_nonce');
    expect(first.headers['www-authenticate']).toMatch(/^DPoP .*error="use_dpop_nonce"/);
    const nonce = first.headers['dpop-nonce'];
    const headers = proven(compact, { nonce });
    const answer = await nginx(target, headers, { method: 'POST' });
    expect({ status: answer.status, by: answer.headers['x-outrider-admitted-by'] }).toEqual({
      status: 200,
      by: 'dpop',
    });
    expect(told(await nginx(target, headers, { method: 'POST' }))).toBe('401 401 auth.dpop_replayed');
    const elsewhere = proven(compact, { nonce, htu: `https://other.example.com${target}` });
    expect(told(await nginx(target, elsewhere, { method: 'POST' }))).toBe('401 401 auth.dpop_invalid');
    expect(told(await nginx(target, proven(compact, { nonce, htm: 'GET' }), { method: 'POST' }))).toBe(
      '401 401 auth.dpop_invalid',
    );
  });
});

describe('who asks', () => {
  it('is a configured edge, and nobody else (attack 22)', async () => {
    const { other, a } = suite.parties;
    for (const party of [other, a, undefined])
      for (const path of ['/authorize/nginx', `/authorize/envoy${TRIPS}`, '/authorize/traefik']) {
        const answer = await ask(suite, party, path, asNginx('GET', TRIPS, ofA()));
        expect(answer.status).toBe(403);
        expect(answer.headers['x-outrider-code'] ?? JSON.parse(answer.body).code).toBe('gateway.edge_unknown');
      }
  });

  it('says all of what was asked', async () => {
    const asked = asNginx('GET', TRIPS, ofA());
    for (const name of Object.keys(asked).filter((one) => one.startsWith('x-original'))) {
      const { [name]: _, ...rest } = asked;
      const answer = await ask(suite, suite.parties.edge, '/authorize/nginx', rest);
      expect(told(answer)).toBe('403 400 gateway.edge_request_invalid');
    }
    const twice = await ask(suite, suite.parties.edge, '/authorize/nginx', {
      ...asked,
      'x-original-uri': [TRIPS, '/status'],
    });
    expect(told(twice)).toBe('403 400 gateway.path_ambiguous');
    const none = await ask(suite, suite.parties.edge, '/anything', {});
    expect({ status: none.status, ...JSON.parse(none.body) }).toMatchObject({ status: 404, code: 'request.not_found' });
  });

  it('is refused once the denylist names it, on a connection that is open or a new one', async () => {
    const value = suite.parties.edge.certificate.thumbprint;
    await suite.denier.deny({ kind: 'certificate', value });
    await until(async () => told(await nginx(TRIPS, ofA())) === '403 403 denylist.certificate');
    await suite.denier.deny({ kind: 'certificate', value, removed: true });
    await until(async () => (await nginx(TRIPS, ofA())).status === 200);
  });
});

describe('the rules', () => {
  it('are taken up as their files change, and stay where a file cannot be used', async () => {
    const apis = suite.app.get(Apis);
    suite.writeRules({ ...suite.rules, rules: [{ methods: ['GET'], path: TRIPS, admit: 'nobody' }] });
    apis.look();
    expect(told(await nginx(TRIPS, ofA()))).toBe('403 403 gateway.route_unknown');
    suite.writeRules({ ...suite.rules, rules: [{ methods: ['GET'], path: TRIPS, admit: 'everyone' }] });
    apis.look();
    expect(told(await nginx(TRIPS, ofA()))).toBe('403 403 gateway.route_unknown');
    suite.writeRules(suite.rules);
    apis.look();
    expect((await nginx(TRIPS, ofA())).status).toBe(200);
  });
});
