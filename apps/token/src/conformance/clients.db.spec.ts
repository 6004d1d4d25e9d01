/** Every flow by clients that we did not write: oauth4webapi and openid-client, over TLS, from discovery on. */
import type { webcrypto } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { denylistAdd } from '@outrider/contracts';
import { issueVehicle, type Party, type TestNats } from '@outrider/testing';
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { OperatorAccountRepository } from '../operator-client/operator-account.repository.js';
import { device, type Ground, prepareGround, startService, until } from '../token.fixture.js';
import { type MtlsFetch, mtlsFetch } from './mtls-fetch.fixture.js';

const ID = 'device-conform';
let ground: Ground;
let app: NestFastifyApplication;
let vehicle: Party;
let withCertificate: MtlsFetch;
let without: MtlsFetch;
let issuer: URL;
let keys: webcrypto.CryptoKeyPair;
let revocation: Awaited<ReturnType<TestNats['connectAs']>>;

beforeAll(async () => {
  const prepared = await prepareGround();
  const { config } = prepared;
  issuer = new URL(`https://127.0.0.1:${config.listeners.vehicle?.port}`);
  ground = { ...prepared, config: { ...config, tokenIssuer: issuer.origin } };
  app = await startService(ground, 1);
  keys = (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])) as never;
  const spki = Buffer.from(await crypto.subtle.exportKey('spki', keys.publicKey)).toString('base64');
  const publicKeyPem = `-----BEGIN PUBLIC KEY-----\n${spki}\n-----END PUBLIC KEY-----\n`;
  const accounts = app.get(OperatorAccountRepository);
  await accounts.upsert({ clientId: 'platform', identity: 'platform', roles: ['resource-server'], publicKeyPem });
  ground.neighbours.register(ID, { attestation: 'hardware', grants: ['command:receive'] });
  vehicle = await issueVehicle(ground.fleet, device(ID));
  withCertificate = mtlsFetch(ground.fleet, vehicle);
  without = mtlsFetch(ground.fleet);
  revocation = await ground.nats.connectAs('revocation');
  revocation.subscribe(denylistAdd.subject, {
    callback: (_error, msg) => {
      const { entries } = denylistAdd.payload.parse(msg.json());
      for (const { kind, value } of entries) ground.neighbours.deny(kind, value);
      msg.respond(JSON.stringify({ ok: { sequence: 1, enforcedBy: [], pending: [] } }));
    },
  });
  await revocation.flush();
}, 60_000);

afterAll(async () => {
  await Promise.all([withCertificate?.close(), without?.close()]);
  await app?.close();
  await revocation?.close();
  await ground?.stop();
});

describe('oauth4webapi', () => {
  const over = ({ fetch }: MtlsFetch) => ({ [oauth.customFetch]: fetch as never });
  const asVehicle: oauth.Client = { client_id: ID, use_mtls_endpoint_aliases: true };
  const platform: oauth.Client = { client_id: 'platform' };
  let server: oauth.AuthorizationServer;

  beforeAll(async () => {
    const answer = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...over(without) });
    server = await oauth.processDiscoveryResponse(issuer, answer);
  });

  async function vehicleToken(scope: string): Promise<oauth.TokenEndpointResponse> {
    const options = over(withCertificate);
    const tls = oauth.TlsClientAuth();
    const answer = await oauth.clientCredentialsGrantRequest(server, asVehicle, tls, { scope }, options);
    expect(Math.abs(Date.parse(answer.headers.get('date') ?? '') - Date.now())).toBeLessThan(10_000);
    return oauth.processClientCredentialsResponse(server, asVehicle, answer);
  }

  it('finds the server, which says whose refresh tokens are', () => {
    expect(server.grant_types_supported).toEqual(['client_credentials', 'refresh_token']);
    expect(server.outrider_refresh_tokens).toMatchObject({ clients: 'vehicles attested in hardware' });
    expect(server.tls_client_certificate_bound_access_tokens).toBe(true);
  });

  it('gets a vehicle its token by certificate, refreshes it, and ends both', async () => {
    const first = await vehicleToken('telemetry:write offline_access');
    expect(first).toMatchObject({ token_type: 'bearer', expires_in: 120, scope: 'telemetry:write' });
    expect(decodeJwt(first.access_token).cnf).toEqual({ 'x5t#S256': vehicle.certificate.thumbprint });
    const tls = oauth.TlsClientAuth();
    const options = over(withCertificate);
    const refreshed = await oauth.refreshTokenGrantRequest(server, asVehicle, tls, first.refresh_token ?? '', options);
    const second = await oauth.processRefreshTokenResponse(server, asVehicle, refreshed);
    expect(second.refresh_token).not.toBe(first.refresh_token);
    const revoked = await oauth.revocationRequest(server, asVehicle, tls, second.refresh_token ?? '', options);
    await oauth.processRevocationResponse(revoked);
    const again = await oauth.refreshTokenGrantRequest(server, asVehicle, tls, second.refresh_token ?? '', options);
    await expect(oauth.processRefreshTokenResponse(server, asVehicle, again)).rejects.toMatchObject({
      error: 'invalid_grant',
      status: 400,
    });
  });

  it('a resource server asks about a token by private_key_jwt, before and after it was revoked', async () => {
    const { access_token } = await vehicleToken('telemetry:write');
    const ask = async () => {
      const signed = oauth.PrivateKeyJwt(keys.privateKey);
      const answer = await oauth.introspectionRequest(server, platform, signed, access_token, over(without));
      return oauth.processIntrospectionResponse(server, platform, answer);
    };
    expect(await ask()).toMatchObject({ active: true, sub: ID, cnf: { 'x5t#S256': vehicle.certificate.thumbprint } });
    const tls = oauth.TlsClientAuth();
    const answer = await oauth.revocationRequest(server, asVehicle, tls, access_token, over(withCertificate));
    await oauth.processRevocationResponse(answer);
    await until(async () => !(await ask()).active);
    expect(await ask()).toEqual({ active: false });
  });

  it('verifies an access token as RFC 9068 has it; one that is bound to a certificate it does not know how to', async () => {
    const signed = oauth.PrivateKeyJwt(keys.privateKey);
    const answer = await oauth.clientCredentialsGrantRequest(server, platform, signed, {}, over(without));
    const { access_token } = await oauth.processClientCredentialsResponse(server, platform, answer);
    const verify = (token: string, audience: string) => {
      const headers = { authorization: `Bearer ${token}` };
      const asked = new Request('https://resource.example/', { headers });
      return oauth.validateJwtAccessToken(server, asked, audience, over(without));
    };
    expect(await verify(access_token, 'urn:outrider:operator')).toEqual(decodeJwt(access_token));
    await expect(verify(access_token, 'urn:outrider:command')).rejects.toMatchObject({
      code: 'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
    });
    const bound = await vehicleToken('telemetry:write');
    await expect(verify(bound.access_token, 'urn:outrider:telemetry')).rejects.toMatchObject({
      code: 'OAUTH_UNSUPPORTED_OPERATION',
    });
  });
});

describe('openid-client', () => {
  async function configure(id: string, by: MtlsFetch, how: openid.ClientAuth): Promise<openid.Configuration> {
    const metadata = { use_mtls_endpoint_aliases: id === ID };
    const options = { algorithm: 'oauth2', [openid.customFetch]: by.fetch as never } as const;
    return openid.discovery(issuer, id, metadata, how, options);
  }

  it('gets a vehicle its tokens of either family, and a refused scope as an error', async () => {
    const config = await configure(ID, withCertificate, openid.TlsClientAuth());
    const telemetry = await openid.clientCredentialsGrant(config, { resource: 'urn:outrider:telemetry' });
    expect(telemetry).toMatchObject({ expires_in: 120, scope: 'telemetry:write' });
    const control = await openid.clientCredentialsGrant(config, { scope: 'command:receive' });
    expect(decodeJwt(control.access_token).aud).toBe('urn:outrider:command');
    await expect(openid.clientCredentialsGrant(config, { scope: 'command:critical' })).rejects.toMatchObject({
      error: 'invalid_scope',
      status: 400,
    });
    await openid.tokenRevocation(config, telemetry.access_token);
  });

  it('gets a service account its token by private_key_jwt, and asks about it', async () => {
    const config = await configure('platform', without, openid.PrivateKeyJwt(keys.privateKey));
    const { access_token, expires_in } = await openid.clientCredentialsGrant(config);
    expect(expires_in).toBe(900);
    expect(await openid.tokenIntrospection(config, access_token)).toMatchObject({
      active: true,
      client_id: 'platform',
      scope: 'token:introspect',
    });
  });
});
