import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { type Decision } from '@outrider/contracts';
import { createTestFleet, issueVehicle, type Party, until } from '@outrider/testing';
import { claims, hs256, now, OPERATOR, operatorClaims, part, sign, signer, stranger } from './access-token.fixture.js';
import { A, AdmissionGround, B, code } from './admission-ground.fixture.js';
import { type Ask } from './ask.fixture.js';
import { readDecisions } from './decision-log.fixture.js';

let ground: AdmissionGround;
let gateway: NatsConnection;
let a: Party;
let b: Party;
const decisions: Decision[] = [];

beforeAll(async () => {
  ground = await AdmissionGround.start();
  ({ a, b } = ground);
  gateway = await ground.ground.nats.connectAs('gateway');
}, 60_000);

afterAll(async () => {
  await gateway?.close();
  await ground?.stop();
});

const ask: AdmissionGround['ask'] = (path, asked) => ground.ask(path, asked);

describe('a vehicle', () => {
  it('is admitted with its certificate and the token bound to it, and named to the route', async () => {
    const answer = await ask('/token', { party: a, token: sign(claims(a, A)) });
    expect(answer).toMatchObject({ status: 200, body: '{"deviceId":"device-a"}' });
    expect((await ask('/certificate', { party: a })).status).toBe(200);
    expect((await ask('/anyone')).status).toBe(200);
  });

  it.each<[string, () => Ask, number, string, string]>([
    ['no certificate (attack 10)', () => ({ token: sign(claims(a, A)) }), 401, 'tls.certificate_required', 'Bearer'],
    [
      "another vehicle's connection (attack 9)",
      () => ({ party: b, token: sign(claims(a, A)) }),
      401,
      'auth.token_binding_mismatch',
      'invalid_token',
    ],
    [
      'a token from before its certificate was renewed',
      () => ({ party: a, token: sign(claims(a, A, { cnf: { 'x5t#S256': b.certificate.thumbprint } })) }),
      401,
      'auth.token_superseded',
      'invalid_token',
    ],
    [
      'a token for another device (attack 8)',
      () => ({ party: a, token: sign(claims(a, B)) }),
      403,
      'auth.wrong_device',
      '',
    ],
    ['no token', () => ({ party: a }), 401, 'auth.token_missing', 'scope="telemetry:write"'],
    [
      'an expired token',
      () => ({ party: a, token: sign(claims(a, A, { iat: now() - 60, exp: now() })) }),
      401,
      'auth.token_expired',
      'invalid_token',
    ],
    [
      'another audience',
      () => ({ party: a, token: sign(claims(a, A, { aud: 'urn:outrider:command' })) }),
      401,
      'auth.token_invalid',
      'invalid_token',
    ],
    [
      'another scope',
      () => ({ party: a, token: sign(claims(a, A, { scope: 'telemetry:backfill' })) }),
      403,
      'auth.scope_insufficient',
      'insufficient_scope',
    ],
    [
      "a stranger's key",
      () => ({ party: a, token: sign(claims(a, A), stranger.privateKey) }),
      401,
      'auth.token_invalid',
      'invalid_token',
    ],
    [
      'an unknown kid',
      () => ({ party: a, token: sign(claims(a, A), signer.privateKey, { kid: 'other' }) }),
      401,
      'auth.token_invalid',
      'invalid_token',
    ],
    [
      "an operator's token",
      () => ({ party: a, token: sign(operatorClaims()) }),
      401,
      'auth.token_invalid',
      'invalid_token',
    ],
    [
      'alg none (attack 13)',
      () => ({ party: a, token: `${part({ alg: 'none', typ: 'at+jwt', kid: 'key-1' })}.${part(claims(a, A))}.` }),
      401,
      'auth.token_invalid',
      'invalid_token',
    ],
    [
      'HS256 keyed with the public key (attack 13)',
      () => ({ party: a, token: hs256(claims(a, A)) }),
      401,
      'auth.token_invalid',
      'invalid_token',
    ],
  ])('is refused with %s', async (_name, request, status, expected, challenge) => {
    const answer = await ask('/token', request());
    expect({ status: answer.status, code: code(answer) }).toEqual({ status, code: expected });
    if (challenge) expect(answer.headers['www-authenticate']).toContain(challenge);
  });

  it('is refused with a certificate of another CA', async () => {
    const other = await createTestFleet();
    expect(code(await ask('/certificate', { party: await issueVehicle(other, A) }))).toBe('tls.certificate_invalid');
  });

  it('is refused a token in the query, beside a good one too', async () => {
    const token = sign(claims(a, A));
    for (const request of [{ party: a }, { party: a, token }]) {
      const answer = await ask(`/token?access_token=${token}`, request);
      expect({ status: answer.status, code: code(answer) }).toEqual({ status: 400, code: 'auth.token_in_query' });
      expect(answer.headers['www-authenticate']).toContain('error="invalid_request"');
    }
  });

  it('learns without a certificate which tokens this resource takes, and each challenge says where (RFC 9728)', async () => {
    const resource = `https://127.0.0.1:${ground.port.vehicle}`;
    const answer = await ask('/.well-known/oauth-protected-resource');
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({
      resource,
      authorization_servers: ['https://127.0.0.1:8442'],
      scopes_supported: ['telemetry:write'],
      bearer_methods_supported: ['header'],
      tls_client_certificate_bound_access_tokens: true,
      outrider_audience: 'urn:outrider:telemetry',
    });
    for (const request of [{}, { party: a }, { party: a, token: 'x' }]) {
      const { status, headers } = await ask('/token', request);
      expect(status).toBe(401);
      expect(headers['www-authenticate']).toContain(
        `resource_metadata="${resource}/.well-known/oauth-protected-resource"`,
      );
    }
  });

  it('may have a clock 10 s behind the issuer, not 60 s; what has ended has no grace', async () => {
    const at = (iat: number, exp: number) =>
      sign(claims(a, A, { iat: now() + iat, nbf: now() + iat, exp: now() + exp }));
    expect((await ask('/token', { party: a, token: at(9, 120) })).status).toBe(200);
    expect(code(await ask('/token', { party: a, token: at(60, 120) }))).toBe('auth.token_invalid');
    expect(code(await ask('/token', { party: a, token: at(-60, 0) }))).toBe('auth.token_expired');
  });

  it("is refused another device's path", async () => {
    const token = sign(claims(a, A));
    expect((await ask('/devices/device-a', { party: a, token })).status).toBe(200);
    expect(code(await ask('/devices/device-b', { party: a, token }))).toBe('auth.wrong_device');
  });

  it('gains nothing by a Client-Cert header, which is counted (attack 22)', async () => {
    const headers = {
      'client-cert': `:${Buffer.from(b.certificate.der).toString('base64')}:`,
      'x-forwarded-client-cert': 'Hash=00',
    };
    expect(code(await ask('/certificate', { headers }))).toBe('tls.certificate_required');
    const metrics = await (await fetch(`http://127.0.0.1:${ground.port.http}/metrics`)).text();
    expect(metrics).toMatch(/outrider_client_cert_headers_ignored_total\{[^}]*header="client-cert"[^}]*\} 1/);
  });
});

describe('an operator', () => {
  it('is admitted by a bearer token with the scope', async () => {
    const answer = await ask('/fleet', { listener: 'operator', token: sign(operatorClaims()) });
    expect(answer).toMatchObject({ status: 200, body: JSON.stringify({ subject: OPERATOR }) });
  });

  it.each<[string, () => string | undefined, number, string]>([
    ['no token', () => undefined, 401, 'auth.token_missing'],
    ["a device's token (attack 25)", () => sign(claims(a, A)), 401, 'auth.token_invalid'],
    [
      'an expired token (attack 25)',
      () => sign(operatorClaims({ iat: now() - 60, exp: now() - 1 })),
      401,
      'auth.token_expired',
    ],
    [
      'another scope (attack 25)',
      () => sign(operatorClaims({ scope: 'evidence:read' })),
      403,
      'auth.scope_insufficient',
    ],
  ])('is refused with %s', async (_name, token, status, expected) => {
    const presented = token();
    const answer = await ask('/fleet', { listener: 'operator', ...(presented ? { token: presented } : {}) });
    expect({ status: answer.status, code: code(answer) }).toEqual({ status, code: expected });
  });
});

it('reports each first deny to the decision log, with its code', async () => {
  await until(async () => {
    decisions.push(...(await readDecisions(gateway, 'telemetry')));
    return ['auth.token_binding_mismatch', 'auth.client_cert_header_ignored'].every((wanted) =>
      decisions.some((decision) => decision.code === wanted),
    );
  });
  expect(decisions).toContainEqual(
    expect.objectContaining({ decision: 'deny', code: 'auth.token_binding_mismatch', deviceId: B }),
  );
});
