/** A fleet-ca under test, on PostgreSQL and NATS of its own, and what its neighbours would ask of it. */
import 'reflect-metadata';
import { createHash, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { certificatesSign, crlSign, type DenylistEntry, SignedCertificate } from '@outrider/contracts';
import { InstanceId, type Service } from '@outrider/ids';
import { DenylistFeed } from '@outrider/platform/admission';
import { migrate } from '@outrider/platform/postgres';
import { createApplication, createLogger } from '@outrider/platform/service';
import {
  createTestDatabase,
  createTestFleet,
  issueService,
  type Party,
  startDenylist,
  startNats,
  type TestDatabase,
  type TestDenylist,
  type TestFleet,
  type TestNats,
  testServiceConfig,
  until,
} from '@outrider/testing';
import { Config } from './config.js';
import { FleetCaModule } from './fleet-ca.module.js';
import { IssuedCertificates1763801000000 } from './migrations/1763801000000-issued-certificates.migration.js';
import { SignedDeltas1764400200000 } from './migrations/1764400200000-signed-deltas.migration.js';
import { RenewedServices1764800000000 } from './migrations/1764800000000-renewed-services.migration.js';
import { askAs, newCsr, signRequest } from './neighbours.fixture.js';

const PASSPHRASE = 'a passphrase of forty-one characters 2718';
export const CRL_BASE = 'http://127.0.0.1:9105/crl';

export let fleet: TestFleet;
export let database: TestDatabase;
export let nats: TestNats;
export let app: NestFastifyApplication;
let denylist: TestDenylist;
let denied = 0;
export const identities = new Map<Service, Party>();

/** What a spec's fleet-ca has besides. */
interface Besides {
  /** Services have their certificates renewed here. */
  readonly serviceRenewal?: { readonly lifetimeSeconds: number };
  /** Its own certificate, renewed by itself in that folder. */
  readonly identity?: (fleet: TestFleet) => Promise<Party>;
}

async function configuration({ serviceRenewal, identity }: Besides): Promise<Config> {
  const { config, directory } = await testServiceConfig('fleet-ca', { fleet, database, nats });
  const file = (name: string, content: string) => {
    writeFileSync(join(directory, name), content, { mode: 0o600 });
    return join(directory, name);
  };
  const encrypted = ({ privateKey }: Party) =>
    privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE }) as string;
  file('vehicle-ca.key', encrypted(fleet.vehicleCa));
  file('control-ca.key', encrypted(fleet.controlCa));
  // testServiceConfig has written the certificates. Without renewals the key of the infrastructure CA is nowhere: fleet-ca must not want it.
  if (serviceRenewal) file('infrastructure-ca.key', encrypted(fleet.infrastructureCa));
  const own = await identity?.(fleet);
  if (own) {
    file('service.crt', own.certificatePem + fleet.infrastructureCa.certificatePem);
    file('service.key', own.privateKeyPem);
  }
  const manifest = () =>
    JSON.stringify(
      Object.fromEntries(
        ['vehicle-ca', 'control-ca', 'infrastructure-ca'].map((name) => {
          const key = { kind: 'file', file: `${name}.key` };
          const since = new Date().toISOString();
          const generations = [{ generation: 1, key, certificate: `${name}.crt`, state: 'active', since }];
          return [name, { profile: name, issuer: 'fleet-root', generations }];
        }),
      ),
    );
  return Config.parse({
    ...config,
    listeners: { http: config.listeners.http },
    authorities: { passphraseFile: file('passphrase', PASSPHRASE), manifestFile: file('authorities.json', manifest()) },
    profiles: { offered: ['vehicle', 'vehicle-short', 'command-signer', 'ocsp-signer'] },
    crl: { baseUrl: CRL_BASE, shardCount: 1 },
    ocspUrl: 'http://127.0.0.1:9105/ocsp',
    requestMaxAgeSeconds: 30,
    ...(serviceRenewal ? { serviceRenewal } : {}),
    ...(own ? { identity: { ...config.identity, renewal: 'self', stateDirectory: join(directory, 'state') } } : {}),
  });
}

export async function startFleetCa(besides: Besides = {}): Promise<void> {
  fleet = await createTestFleet();
  [database, nats] = await Promise.all([createTestDatabase('fleet-ca'), startNats()]);
  denylist = await startDenylist(nats);
  denylist.stopBeating();
  for (const service of ['provisioning', 'command', 'revocation'] as const) {
    identities.set(service, await issueService(fleet, service));
  }
  const config = await configuration(besides);
  const instance = InstanceId.parse('fleet-ca-00000001');
  const logger = createLogger('fleet-ca', instance, config.logLevel);
  await migrate(
    config,
    [IssuedCertificates1763801000000, SignedDeltas1764400200000, RenewedServices1764800000000],
    logger,
  );
  app = await createApplication(
    { module: FleetCaModule, entities: [] },
    { service: 'fleet-ca', instance, config, logger },
  );
}

export async function stopFleetCa(): Promise<void> {
  await app?.close();
  await denylist?.stop();
  await nats?.stop();
  await database?.drop();
}

export function signedBy(service: Service, payload: object): string {
  return signRequest(identities.get(service) as Party, payload);
}

/** `ok` of the reply, or `{ code }` of its error. */
export async function ask(service: Service, subject: string, payload: object): Promise<unknown> {
  const { ok, error } = await askAs(nats, service, subject, payload);
  return ok ?? { code: error?.code };
}

/** Writes what revocation would: the entries, then heartbeats until they are proven. */
export async function deny(...entries: readonly Pick<DenylistEntry, 'kind' | 'value'>[]): Promise<void> {
  for (const entry of entries) await denylist.deny({ ...entry, reason: 'keyCompromise' });
  denied += entries.length;
  const feed = app.get(DenylistFeed);
  await until(() => {
    denylist.beat();
    return feed.sequence >= denied && feed.freshness() === 'fresh';
  }, 20_000);
}

export const vehicleRequest = (deviceId = 'device-12345') => ({
  requestId: randomUUID(),
  profile: 'vehicle',
  authority: 'vehicle-ca',
  csr: newCsr(deviceId),
  deviceId,
});
export const signerRequest = () => ({
  ...vehicleRequest(),
  profile: 'command-signer',
  authority: 'control-ca',
  csr: newCsr('command'),
  deviceId: undefined,
});

export const ocspSignerRequest = () => ({
  ...signerRequest(),
  profile: 'ocsp-signer',
  authority: 'vehicle-ca',
  csr: newCsr('ocsp'),
  issuerKeyId: fleet.vehicleCa.certificate.subjectKeyId,
});

export const signAll = (service: Service, items: readonly object[]) =>
  ask(service, certificatesSign.subject, {
    request: signedBy(service, { aud: 'ca.certificate.sign.v2', items }),
  }) as Promise<{ items: { code?: string; certificate?: string }[]; code?: string }>;

export const signedReply = (reply: unknown) => SignedCertificate.parse(reply);

/** One item; its own refusal, or the whole request's. */
export async function sign(service: Service, item: object) {
  const reply = await signAll(service, [item]);
  if (!reply.items) return reply as unknown as ReturnType<typeof signedReply>;
  const { code, ...rest } = reply.items[0] ?? {};
  return (code === undefined ? rest : { code }) as ReturnType<typeof signedReply>;
}

const NO_SHA256 = createHash('sha256').digest('hex');

/** A list of nothing, unless told otherwise. */
export const crlRequest = (number: number, changes: object = {}) => ({
  aud: 'ca.crl.sign.v2',
  issuerKeyId: fleet.vehicleCa.certificate.subjectKeyId,
  distributionPoint: `${CRL_BASE}/0.crl`,
  number,
  hasDeltas: false,
  thisUpdate: new Date(Math.floor(Date.now() / 1000) * 1000).toISOString(),
  nextUpdate: new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000).toISOString(),
  draft: randomUUID(),
  entries: { count: 0, bytes: 0, sha256: NO_SHA256 },
  ...changes,
});
export const signCrl = (service: Service, request: object, entries?: Uint8Array) =>
  ask('revocation', crlSign.subject, {
    request: signedBy(service, request),
    ...(entries ? { entries: Buffer.from(entries).toString('base64') } : {}),
  });

export async function rows(sql: string, parameters: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = await database.admin();
  try {
    return (await client.query(sql, parameters)).rows;
  } finally {
    await client.end();
  }
}

/** Runs `work` with the rights of the service's runtime role. */
export async function asRuntimeRole(work: (query: (sql: string) => Promise<unknown>) => Promise<void>): Promise<void> {
  const client = await database.admin();
  try {
    await client.query('SET ROLE fleet_ca');
    await work((sql) => client.query(sql));
  } finally {
    await client.end();
  }
}
