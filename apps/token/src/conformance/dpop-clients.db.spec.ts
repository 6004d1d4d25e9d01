/** DPoP by clients that we did not write, through proxies that end TLS: a token, its nonce and its use at a resource of two replicas. */
import type { webcrypto } from 'node:crypto';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { freePort, issueService, issueVehicle, type Party } from '@outrider/testing';
import { calculateJwkThumbprint, decodeJwt, exportJWK } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { device, type Ground, prepareGround, startService } from '../token.fixture.js';
import { type EdgePlan, NGINX, type RunningEdge, startNginx, startNodeEdge } from './edge.fixture.js';
import { type MtlsFetch, mtlsFetch } from './mtls-fetch.fixture.js';
import { type Replicas, startResource } from './resource.fixture.js';

const ID = 'device-behind';
let ground: Ground;
let app: NestFastifyApplication;
let resource: Replicas;
let vehicle: Party;
let withCertificate: MtlsFetch;
let plan: EdgePlan;
let issuer: URL;
let window: URL;

beforeAll(async () => {
  const prepared = await prepareGround();
  const port = await freePort();
  issuer = new URL(`https://127.0.0.1:${port}`);
  window = new URL('/v1/telemetry/window', issuer);
  const { fleet, config } = prepared;
  const { dpop } = config.listeners.vehicle!;
  const reached = { nonceKeyFile: dpop!.nonceKeyFile, publicUrls: [issuer.origin] };
  const listeners = { ...config.listeners, vehicle: { ...config.listeners.vehicle!, dpop: reached } };
  ground = { ...prepared, config: { ...config, tokenIssuer: issuer.origin, listeners } };
  app = await startService(ground, 1);
  resource = await startResource(ground, reached, 2);
  ground.neighbours.register(ID, { grants: ['command:receive'] });
  vehicle = await issueVehicle(fleet, device(ID));
  withCertificate = mtlsFetch(fleet, vehicle);
  plan = {
    ...{ directory: dirname(dpop!.nonceKeyFile), fleet, party: await issueService(fleet, 'edge-1'), port },
    behind: { '/v1/telemetry': resource.ports, '/': [config.listeners.vehicle!.port] },
  };
}, 60_000);

afterAll(async () => {
  await withCertificate?.close();
  await resource?.stop();
  await app?.close();
  await ground?.stop();
});

async function newKey(): Promise<{ keys: webcrypto.CryptoKeyPair; jkt: string }> {
  const keys = (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ])) as never;
  const { publicKey } = keys as webcrypto.CryptoKeyPair;
  return { keys, jkt: await calculateJwkThumbprint(await exportJWK(publicKey as never)) };
}

const ways: [string, (plan: EdgePlan) => Promise<RunningEdge>, boolean][] = [
  ['a proxy of RFC 9440', startNodeEdge, true],
  [`nginx${NGINX ? '' : ' (skipped: no nginx on this machine)'}`, startNginx, NGINX !== undefined],
];

describe.each(ways)('behind %s', (_name, start, present) => {
  const when = present ? it : it.skip;
  let edge: RunningEdge | undefined;

  beforeAll(async () => {
    if (present) edge = await start(plan);
  }, 30_000);

  afterAll(async () => {
    await edge?.stop();
  });

  when(
    'oauth4webapi gets a token for control by a proof, a nonce after the first try, and spends another at a resource',
    async () => {
      const over = { [oauth.customFetch]: withCertificate.fetch as never };
      const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...over });
      const server = await oauth.processDiscoveryResponse(issuer, discovered);
      expect(server.dpop_signing_alg_values_supported).toContain('ES256');
      const client: oauth.Client = { client_id: ID, use_mtls_endpoint_aliases: true };
      const { keys, jkt } = await newKey();
      const DPoP = oauth.DPoP(client, keys);
      const token = async (scope: string) => {
        const ask = () =>
          oauth.clientCredentialsGrantRequest(server, client, oauth.TlsClientAuth(), { scope }, { DPoP, ...over });
        const read = async () => oauth.processClientCredentialsResponse(server, client, await ask());
        const refused: unknown = await read().catch((error: unknown) => error);
        return oauth.isDPoPNonceError(refused)
          ? { retried: true, ...(await read()) }
          : { retried: false, ...(refused as oauth.TokenEndpointResponse) };
      };
      const bound = { 'x5t#S256': vehicle.certificate.thumbprint, jkt };
      const telemetry = await token('telemetry:write');
      expect(telemetry).toMatchObject({ token_type: 'dpop', retried: true });
      expect(decodeJwt(telemetry.access_token).cnf).toEqual(bound);
      expect(await token('command:receive')).toMatchObject({ token_type: 'dpop', retried: false });
      const spend = (handle: oauth.DPoPHandle) =>
        oauth.protectedResourceRequest(telemetry.access_token, 'GET', window, undefined, undefined, {
          DPoP: handle,
          ...over,
        });
      const answer = await spend(DPoP).catch((error: unknown) => {
        expect(oauth.isDPoPNonceError(error)).toBe(true);
        return spend(DPoP);
      });
      expect(await answer.json()).toEqual({ deviceId: ID, cnf: bound });
      const thief = oauth.DPoP(client, (await newKey()).keys);
      const stolen = await spend(thief)
        .catch(() => spend(thief))
        .catch((error: unknown) => error);
      expect(stolen).toMatchObject({ status: 401 });
    },
  );

  when('openid-client does so by itself', async () => {
    const metadata = { use_mtls_endpoint_aliases: true };
    const options = { algorithm: 'oauth2', [openid.customFetch]: withCertificate.fetch as never } as const;
    const config = await openid.discovery(issuer, ID, metadata, openid.TlsClientAuth(), options);
    const { keys, jkt } = await newKey();
    const DPoP = openid.getDPoPHandle(config, keys);
    const control = await openid.clientCredentialsGrant(config, { scope: 'command:receive' }, { DPoP });
    expect(decodeJwt(control.access_token)).toMatchObject({ aud: 'urn:outrider:command', cnf: { jkt } });
    const { access_token, token_type } = await openid.clientCredentialsGrant(config, {}, { DPoP });
    expect(token_type).toBe('dpop');
    for (let time = 0; time < 4; time++) {
      const answer = await openid.fetchProtectedResource(config, access_token, window, 'GET', undefined, undefined, {
        DPoP,
      });
      expect(await answer.json()).toMatchObject({ deviceId: ID });
    }
    await expect(openid.clientCredentialsGrant(config, { scope: 'command:receive' })).rejects.toMatchObject({
      error: 'invalid_dpop_proof',
    });
  });

  when('a proof that one replica has taken is refused by the other', async () => {
    const proofs: string[] = [];
    const recording = (url: string, init: RequestInit = {}) => {
      proofs.push(new Headers(init.headers).get('dpop') ?? '');
      return withCertificate.fetch(url, init);
    };
    const options = { algorithm: 'oauth2', [openid.customFetch]: recording as never } as const;
    const config = await openid.discovery(
      issuer,
      ID,
      { use_mtls_endpoint_aliases: true },
      openid.TlsClientAuth(),
      options,
    );
    const DPoP = openid.getDPoPHandle(config, (await newKey()).keys);
    const { access_token } = await openid.clientCredentialsGrant(config, {}, { DPoP });
    const first = await openid.fetchProtectedResource(config, access_token, window, 'GET', undefined, undefined, {
      DPoP,
    });
    expect(first.status).toBe(200);
    // Two replicas in turn: of two sent again, one meets the replica that took it, and one the other.
    const again = { headers: { authorization: `DPoP ${access_token}`, dpop: proofs.at(-1) ?? '' } };
    for (let time = 0; time < 2; time++) {
      const answer = await withCertificate.fetch(window.href, again);
      expect(await answer.json()).toMatchObject({ code: 'auth.dpop_replayed' });
    }
  });
});
