import { beforeAll, describe, expect } from '@jest/globals';
import { createLocalJWKSet, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose';
import { curl } from '../harness/curl.js';
import { at } from '../harness/endpoints.js';
import { itWith } from '../harness/installed.js';
import { Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);

describe("a vehicle's token", () => {
  const issuer = at('token', 'vehicle');
  let vehicle: Vehicle;

  beforeAll(async () => {
    vehicle = await Vehicle.enrol('token');
  });

  async function verified(token: string, audience: string): Promise<JWTPayload> {
    const keys = createLocalJWKSet((await curl(`${issuer}/oauth2/jwks`)).json());
    return (await jwtVerify(token, keys, { issuer, audience, algorithms: ['ES256'], typ: 'at+jwt' })).payload;
  }

  const seconds = ({ exp = 0, iat = 0 }: JWTPayload) => exp - iat;

  test('comes as RFC 6749 says, never to be cached', async () => {
    const answer = await vehicle.askToken();
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 120,
      scope: 'telemetry:write',
    });
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', date: expect.stringMatching(/GMT$/) });
  });

  test('is an ES256 at+jwt of RFC 9068 that the published keys verify', async () => {
    const token = await vehicle.token();
    expect(decodeProtectedHeader(token)).toEqual({ typ: 'at+jwt', alg: 'ES256', kid: expect.any(String) });
    const claims = await verified(token, 'urn:outrider:telemetry');
    expect(claims).toEqual({
      iss: issuer,
      sub: vehicle.id,
      client_id: vehicle.id,
      aud: 'urn:outrider:telemetry',
      iat: expect.any(Number),
      nbf: claims.iat,
      exp: (claims.iat ?? 0) + 120,
      jti: expect.any(String),
      scope: 'telemetry:write',
      cnf: { 'x5t#S256': await vehicle.thumbprint() },
    });
  });

  test('is another one each time', async () => {
    const [one, two] = await Promise.all([vehicle.token(), vehicle.token()]);
    const ids = await Promise.all(
      [one, two].map(async (token) => (await verified(token, 'urn:outrider:telemetry')).jti),
    );
    expect(new Set(ids).size).toBe(2);
  });

  test('lives as long as its family allows, whatever is asked', async () => {
    const asked = async (scope: string, requested_lifetime: string) => {
      const answer = await vehicle.askToken(scope, { requested_lifetime });
      const audience = scope.startsWith('telemetry') ? 'urn:outrider:telemetry' : 'urn:outrider:command';
      return seconds(await verified(answer.json().access_token, audience));
    };
    expect(await asked('telemetry:write', '86400')).toBe(300);
    expect(await asked('telemetry:write', '1')).toBe(30);
    expect(await asked('telemetry:write', '60')).toBe(60);
    expect(await asked('command:receive', '86400')).toBe(60);
    expect(await asked('command:receive', '1')).toBe(10);
  });

  test('of the control family goes to the command service, for 30 seconds', async () => {
    const answer = await vehicle.askToken('command:receive command:critical');
    expect(answer.json()).toMatchObject({ expires_in: 30, scope: 'command:receive command:critical' });
    const claims = await verified(answer.json().access_token, 'urn:outrider:command');
    expect(seconds(claims)).toBe(30);
  });

  test('and its server are described by RFC 8414 metadata, on both listeners', async () => {
    const path = '/.well-known/oauth-authorization-server';
    const metadata = (await curl(`${issuer}${path}`)).json();
    expect(metadata).toMatchObject({
      issuer,
      token_endpoint: `${at('token', 'operator')}/oauth2/token`,
      mtls_endpoint_aliases: { token_endpoint: `${issuer}/oauth2/token` },
      jwks_uri: `${issuer}/oauth2/jwks`,
      grant_types_supported: ['client_credentials', 'refresh_token'],
      tls_client_certificate_bound_access_tokens: true,
    });
    expect((await curl(`${at('token', 'operator')}${path}`)).json()).toEqual(metadata);
    expect((await curl(metadata.jwks_uri)).status).toBe(200);
  });

  test('the published keys are public ones', async () => {
    const { keys } = (await curl(`${issuer}/oauth2/jwks`)).json();
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    }
  });
});
