/** Gateway with external authorization on, a vehicle with a token for an API behind an edge, and an edge that asks by hand. */
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { JWS_TYP, sha256Base64url, signJws } from '@outrider/crypto';
import { DeviceId, InstanceId } from '@outrider/ids';
import { DenylistFeed, JwksKeys } from '@outrider/platform/admission';
import { Listeners } from '@outrider/platform/http';
import { migrate } from '@outrider/platform/postgres';
import { createApplication, createLogger } from '@outrider/platform/service';
import {
  freePort,
  issueService,
  issueVehicle,
  type Party,
  startDenylist,
  startGround,
  startTokenService,
  TRUST_DOMAIN,
  until,
} from '@outrider/testing';
import { Config } from '../config.js';
import { definition } from '../gateway.module.js';

const POLICIES = join(import.meta.dirname, '../../../../policies');
export const HOST = 'api.fleet.example.com';
export const AUDIENCE = 'urn:outrider:fleet-api';
export const A = DeviceId.parse('device-a');
export const B = DeviceId.parse('device-b');

const RULES = {
  name: 'fleet-api',
  hosts: [HOST],
  audience: AUDIENCE,
  publicUrls: [`https://${HOST}`],
  rules: [
    { methods: ['GET'], path: '/status', admit: 'anyone' },
    { methods: ['GET'], path: '/v1/admin/**', admit: 'nobody' },
    { methods: ['GET', 'PUT'], path: '/v1/vehicles/{device}/trips', admit: 'token', scopes: ['trips:read'] },
    { methods: ['POST'], path: '/v1/vehicles/{device}/doors', admit: 'token', scopes: ['trips:read'], control: true },
    { methods: ['GET'], path: '/v1/recovery', admit: 'token', scopes: ['trips:read'], recovery: true },
    { methods: ['GET'], path: '/v1/vehicles/{device}/certificate', admit: 'certificate' },
  ],
};

export interface EdgeReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export type EdgeSuite = Awaited<ReturnType<typeof startEdgeSuite>>;

export async function startEdgeSuite(limits: object = {}) {
  const ground = await startGround('gateway');
  const { config: common, fleet, nats, directory } = ground;
  const [edge, other, a, b] = await Promise.all([
    issueService(fleet, 'edge-1'),
    issueService(fleet, 'telemetry'),
    issueVehicle(fleet, A),
    issueVehicle(fleet, B),
  ]);
  const apisFolder = join(directory, 'apis');
  mkdirSync(apisFolder);
  const writeRules = (rules: object) => writeFileSync(join(apisFolder, 'fleet-api.json'), JSON.stringify(rules));
  writeRules(RULES);
  const dpopNonceKeyFile = join(directory, 'edge-dpop-nonce');
  writeFileSync(dpopNonceKeyFile, randomBytes(32).toString('hex'));
  const port = await freePort();
  const { vehicle: _, ...listeners } = common.listeners;
  const { certificateFile, keyFile } = common.identity;
  const many = { perSecond: 10_000, burst: 10_000 };
  const config = Config.parse({
    ...common,
    listeners,
    enforcementWaitMs: 500,
    policies: { folder: POLICIES },
    decisions: { retentionDays: null },
    authorization: {
      listener: { host: '127.0.0.1', port, certificateFile, keyFile },
      edges: [`spiffe://${TRUST_DOMAIN}/service/edge-1`],
      apisFolder,
      dpopNonceKeyFile,
      limits: { device: many, manufacturer: many, network: many, ...limits },
    },
  });
  const instance = InstanceId.parse('gateway-00000001');
  const logger = createLogger('gateway', instance, config.logLevel);
  await migrate(config, definition.migrations, logger);
  const runtime = { service: 'gateway', instance, config, logger } as const;
  const app: NestFastifyApplication = await createApplication(definition, runtime);
  await app.get(Listeners).open();
  const denier = await startDenylist(nats);
  const token = await startTokenService(nats, config.tokenIssuer);
  await until(() => app.get(DenylistFeed).freshness() === 'fresh' && app.get(JwksKeys).get(token.keyId) !== undefined);
  const tokenOf = (party: Party, device: DeviceId, more: object = {}, cnf: object = {}) =>
    token.accessToken({
      sub: device,
      client_id: device,
      aud: AUDIENCE,
      scope: 'trips:read',
      cnf: { 'x5t#S256': party.certificate.thumbprint, ...cnf },
      ...more,
    });
  return {
    app,
    ground,
    fleet,
    port,
    parties: { edge, other, a, b },
    rules: RULES,
    writeRules,
    tokenOf,
    denier,
    stop: async () => {
      await denier.stop();
      await app.close();
      await token.stop();
      await ground.stop();
    },
  };
}

/** A certificate as Envoy and nginx forward it. */
export function xfcc({ certificatePem }: Party): string {
  return `Cert="${encodeURIComponent(certificatePem)}"`;
}

/** The four fields of `auth_request`. */
export function asNginx(method: string, target: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    'x-original-method': method,
    'x-original-uri': target,
    'x-original-host': HOST,
    'x-original-remote-addr': '192.0.2.7',
    ...more,
  };
}

/** One question by `party` as the edge, on a connection of its own unless `agent` keeps one. */
export function ask(
  { fleet, port }: Pick<EdgeSuite, 'fleet' | 'port'>,
  party: Party | undefined,
  path: string,
  headers: Record<string, string | string[]>,
  { method = 'GET', agent = false as https.Agent | false } = {},
): Promise<EdgeReply> {
  const identity = party ? { cert: party.certificatePem, key: party.privateKeyPem } : {};
  const options = {
    host: '127.0.0.1',
    port,
    path,
    method,
    headers,
    agent,
    ca: fleet.root.certificatePem,
    servername: 'localhost',
    ...identity,
  };
  return new Promise((resolve, reject) => {
    https
      .request(options, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
        response.on('error', reject);
      })
      .on('error', reject)
      .end();
  });
}

/** A key of a vehicle, and proofs by it. */
export function dpopKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  const jkt = sha256Base64url(JSON.stringify({ crv, kty, x, y }));
  const prove = (claims: object) =>
    signJws({
      header: { typ: JWS_TYP.dpop, jwk: { kty, crv, x, y } },
      payload: JSON.stringify({ jti: randomUUID(), iat: Math.floor(Date.now() / 1000), ...claims }),
      key: privateKey,
    });
  return { jkt, prove };
}
