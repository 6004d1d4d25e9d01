import 'reflect-metadata';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { entryHash } from '@outrider/admission';
import {
  certificateGet,
  certificatesSign,
  crlSign,
  DENYLIST_BUCKET,
  DENYLIST_HEARTBEAT_KEY,
  type DenylistEntry,
  type DenylistHeartbeat,
  denylistKey,
  SignedCertificate,
} from '@outrider/contracts';
import { JWS_TYP, signJws } from '@outrider/crypto';
import { InstanceId, type SerialNumber, type Service } from '@outrider/ids';
import { DenylistFeed } from '@outrider/platform/admission';
import { migrate } from '@outrider/platform/postgres';
import { createApplication, createLogger, Readiness } from '@outrider/platform/service';
import {
  createTestDatabase,
  createTestFleet,
  issueService,
  type Party,
  startNats,
  type TestDatabase,
  type TestFleet,
  type TestNats,
  testServiceConfig,
} from '@outrider/testing';
import {
  createCertificationRequest,
  parseCertificate,
  parseCertificationRequest,
  parseCrl,
  revocationOf,
  validateChain,
} from '@outrider/x509';
import { Config } from './config.js';
import { FleetCaModule } from './fleet-ca.module.js';
import { IssuedCertificates1763801000000 } from './migrations/1763801000000-issued-certificates.migration.js';

const PASSPHRASE = 'a passphrase of forty-one characters 2718';
const CRL_BASE = 'http://127.0.0.1:9105/crl';

let fleet: TestFleet;
let database: TestDatabase;
let nats: TestNats;
let app: NestFastifyApplication;
const identities = new Map<Service, Party>();

async function configuration(): Promise<Config> {
  const { config, directory } = await testServiceConfig('fleet-ca', { fleet, database, nats });
  const file = (name: string, content: string) => {
    writeFileSync(join(directory, name), content, { mode: 0o600 });
    return join(directory, name);
  };
  const encrypted = ({ privateKey }: Party) =>
    privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE }) as string;
  file('vehicle-ca.key', encrypted(fleet.vehicleCa));
  file('control-ca.key', encrypted(fleet.controlCa));
  // testServiceConfig has written the certificates. The key of the infrastructure CA is nowhere: fleet-ca must not want it.
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
    profiles: { offered: ['vehicle', 'vehicle-short', 'command-signer'] },
    crl: { baseUrl: CRL_BASE, shardCount: 1 },
    ocspUrl: 'http://127.0.0.1:9105/ocsp',
    requestMaxAgeSeconds: 30,
  });
}

beforeAll(async () => {
  fleet = await createTestFleet();
  [database, nats] = await Promise.all([createTestDatabase('fleet-ca'), startNats()]);
  for (const service of ['provisioning', 'command', 'revocation'] as const) {
    identities.set(service, await issueService(fleet, service));
  }
  const config = await configuration();
  const instance = InstanceId.parse('fleet-ca-00000001');
  const logger = createLogger('fleet-ca', instance, config.logLevel);
  await migrate(config, [IssuedCertificates1763801000000], logger);
  app = await createApplication(
    { module: FleetCaModule, entities: [] },
    { service: 'fleet-ca', instance, config, logger },
  );
}, 60_000);

afterAll(async () => {
  await app?.close();
  await nats?.stop();
  await database?.drop();
});

function signedBy(service: Service, payload: object): string {
  const { certificate, privateKey } = identities.get(service) as Party;
  const x5c = [Buffer.from(certificate.der).toString('base64')];
  const iat = Math.floor(Date.now() / 1000);
  const body = JSON.stringify({ iat, ...payload });
  return signJws({ header: { typ: JWS_TYP.request, x5c }, payload: body, key: privateKey });
}

/** `ok` of the reply, or `{ code }` of its error. */
async function ask(service: Service, subject: string, payload: object): Promise<unknown> {
  const connection = await nats.connectAs(service);
  try {
    const reply = await connection.request(subject, JSON.stringify(payload), { timeout: 5000 });
    const { ok, error } = reply.json<{ ok?: unknown; error?: { code: string } }>();
    return ok ?? { code: error?.code };
  } finally {
    await connection.close();
  }
}

let denied: readonly DenylistEntry[] = [];

/** Writes what revocation would: the entry, then a heartbeat that proves the whole list. */
async function deny(...entries: readonly Omit<DenylistEntry, 'sequence' | 'mode' | 'reason'>[]): Promise<void> {
  const connection = await nats.connectAs('revocation');
  const put = (key: string, record: DenylistEntry | DenylistHeartbeat) =>
    connection.publish(`$KV.${DENYLIST_BUCKET.name}.${key}`, JSON.stringify(record));
  for (const entry of entries) {
    const full: DenylistEntry = { ...entry, mode: 'deny', reason: 'keyCompromise', sequence: denied.length + 1 };
    denied = [...denied, full];
    put(denylistKey(full.kind, full.value), full);
  }
  const digest = Buffer.alloc(32);
  for (const { kind, value, mode } of denied) {
    for (const [i, byte] of entryHash(kind, value, mode).entries()) digest[i] = (digest[i] ?? 0) ^ byte;
  }
  const feed = app.get(DenylistFeed);
  const until = Date.now() + 5000;
  do {
    const heartbeat = { generation: 1, sequence: denied.length, count: denied.length, digest: digest.toString('hex') };
    put(DENYLIST_HEARTBEAT_KEY, heartbeat);
    await new Promise((wake) => setTimeout(wake, 50));
  } while ((feed.sequence < denied.length || feed.freshness() !== 'fresh') && Date.now() < until);
  await connection.close();
}

function newCsr(subject: string): string {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return Buffer.from(createCertificationRequest({ subject, ...keys })).toString('base64');
}

const vehicleRequest = (deviceId = 'device-12345') => ({
  requestId: randomUUID(),
  profile: 'vehicle',
  authority: 'vehicle-ca',
  csr: newCsr(deviceId),
  deviceId,
});
const signerRequest = () => ({
  ...vehicleRequest(),
  profile: 'command-signer',
  authority: 'control-ca',
  csr: newCsr('command'),
  deviceId: undefined,
});

const signAll = (service: Service, items: readonly object[]) =>
  ask(service, certificatesSign.subject, {
    request: signedBy(service, { aud: 'ca.certificate.sign.v2', items }),
  }) as Promise<{ items: { code?: string; certificate?: string }[]; code?: string }>;

const signedReply = (reply: unknown) => SignedCertificate.parse(reply);

/** One item; its own refusal, or the whole request's. */
async function sign(service: Service, item: object) {
  const reply = await signAll(service, [item]);
  if (!reply.items) return reply as unknown as ReturnType<typeof signedReply>;
  const { code, ...rest } = reply.items[0] ?? {};
  return (code === undefined ? rest : { code }) as ReturnType<typeof signedReply>;
}

const crlRequest = (number: number, serialNumber?: SerialNumber) => ({
  aud: 'ca.crl.sign.v1',
  issuerKeyId: fleet.vehicleCa.certificate.subjectKeyId,
  distributionPoint: `${CRL_BASE}/0.crl`,
  number,
  thisUpdate: new Date(Math.floor(Date.now() / 1000) * 1000).toISOString(),
  nextUpdate: new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000).toISOString(),
  entries: serialNumber ? [{ serialNumber, revokedAt: new Date().toISOString(), reason: 'keyCompromise' }] : [],
});
const signCrl = (service: Service, request: object) =>
  ask('revocation', crlSign.subject, { request: signedBy(service, request) });

async function rows(sql: string, parameters: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = await database.admin();
  try {
    return (await client.query(sql, parameters)).rows;
  } finally {
    await client.end();
  }
}

describe('before the first heartbeat of the denylist', () => {
  it('certifies nobody, and signs CRLs all the same', async () => {
    expect(await sign('provisioning', vehicleRequest())).toEqual({ code: 'revocation.stale' });
    expect(await signCrl('revocation', crlRequest(1))).toHaveProperty('crl');
    await deny();
    expect(await sign('provisioning', vehicleRequest())).toHaveProperty('certificate');
  });
});

describe('ca.certificate.sign.v2', () => {
  it('signs a vehicle certificate that chains to the fleet, and logs it first', async () => {
    const reply = signedReply(await sign('provisioning', vehicleRequest()));
    const leaf = parseCertificate(reply.certificate);
    const chain = reply.chain.map((der) => parseCertificate(der));
    validateChain(leaf, chain, [fleet.root.certificate], { now: new Date(), purpose: 'clientAuth' });
    expect(leaf).toMatchObject({
      subjectCommonName: 'device-12345',
      sanUris: ['spiffe://fleet.example.com/vehicle/device-12345'],
      crlDistributionPoints: [`${CRL_BASE}/0.crl`],
    });
    const [row] = await rows('SELECT * FROM issued_certificates WHERE thumbprint = $1', [leaf.thumbprint]);
    expect(row).toMatchObject({
      serial_number: leaf.serialNumber,
      requested_by: 'provisioning',
      device_id: 'device-12345',
    });
  });

  it('tells revocation of it', async () => {
    const { ref } = await sign('provisioning', vehicleRequest('device-told'));
    // A row leaves the outbox when JetStream has acknowledged it.
    const waiting = () => rows('SELECT payload FROM outbox WHERE payload LIKE $1', [`%${ref.thumbprint}%`]);
    const until = Date.now() + 5000;
    while ((await waiting()).length > 0 && Date.now() < until) await new Promise((wake) => setTimeout(wake, 50));
    expect(await waiting()).toEqual([]);
  });

  it('gives a retry, even one that overtakes, the same certificate', async () => {
    const request = vehicleRequest('device-retry');
    const replies = await Promise.all(Array.from({ length: 8 }, () => sign('provisioning', request)));
    expect(new Set(replies.map(({ certificate }) => certificate)).size).toBe(1);
    expect(await rows('SELECT 1 FROM issued_certificates WHERE request_id = $1', [request.requestId])).toHaveLength(1);
  });

  it('refuses a request id that was used for something else', async () => {
    const request = vehicleRequest('device-reuse');
    await sign('provisioning', request);
    expect(await sign('provisioning', { ...request, csr: newCsr('device-reuse') })).toEqual({
      code: 'ca.request_refused',
    });
  });

  it('signs for the command service what only it may ask for', async () => {
    const request = signerRequest();
    const reply = signedReply(await sign('command', request));
    expect(parseCertificate(reply.certificate).sanUris).toEqual(['spiffe://fleet.example.com/service/command']);
    expect(await sign('provisioning', request)).toEqual({ code: 'ca.requester_refused' });
    expect(await sign('command', vehicleRequest())).toEqual({ code: 'ca.requester_refused' });
  });

  it('signs nothing without a service’s signature, whoever sends it', async () => {
    const whole = { aud: 'ca.certificate.sign.v2', items: [vehicleRequest()] };
    const forged = signedBy('provisioning', whole).replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    for (const request of [forged, 'a.b.c', '']) {
      const before = await rows('SELECT count(*) FROM issued_certificates');
      const reply = await ask('provisioning', certificatesSign.subject, { request });
      expect(reply).toHaveProperty('code', expect.stringMatching(/^(ca\.requester_refused|request\.\w+)$/));
      expect(await rows('SELECT count(*) FROM issued_certificates')).toEqual(before);
    }
  });

  it('signs many at once, and one that is refused is its own fault', async () => {
    const good = Array.from({ length: 62 }, (_, at) => vehicleRequest(`device-many-${at}`));
    const bad = { ...vehicleRequest('device-bad'), csr: newCsr('device-other') };
    const garbage = { ...vehicleRequest('device-garbage'), csr: 'AAAA' };
    const { items } = await signAll('provisioning', [...good.slice(0, 31), bad, garbage, ...good.slice(31)]);
    expect(items).toHaveLength(64);
    expect(items[31]).toMatchObject({ requestId: bad.requestId, code: 'ca.request_refused' });
    expect(items[32]).toMatchObject({ requestId: garbage.requestId, code: 'x509.malformed' });
    expect(items.filter(({ certificate }) => certificate)).toHaveLength(62);
    const ids = good.map(({ requestId }) => requestId);
    expect(await rows('SELECT 1 FROM issued_certificates WHERE request_id = ANY($1)', [ids])).toHaveLength(62);
    expect(await rows('SELECT 1 FROM issued_certificates WHERE request_id = $1', [bad.requestId])).toHaveLength(0);
  });

  it('gives overlapping requests the same certificates, whatever their order', async () => {
    const all = Array.from({ length: 16 }, (_, at) => vehicleRequest(`device-overlap-${at}`));
    const replies = await Promise.all(
      [all, [...all].reverse(), all.slice(4, 12)].map((items) => signAll('provisioning', items)),
    );
    const certificates = replies.flatMap(({ items }) => items.map(({ certificate }) => certificate));
    expect(certificates.every((certificate) => certificate !== undefined)).toBe(true);
    expect(new Set(certificates).size).toBe(16);
  });

  it('takes no request id twice, not more than 64, and no authority it does not know', async () => {
    const one = vehicleRequest('device-once');
    expect(await signAll('provisioning', [one, one])).toEqual({ code: 'request.invalid' });
    const many = Array.from({ length: 65 }, () => ({ ...one, requestId: randomUUID() }));
    expect(await signAll('provisioning', many)).toEqual({ code: 'request.invalid' });
    expect(await sign('provisioning', { ...one, authority: 'nobody-ca' })).toEqual({ code: 'ca.authority_unknown' });
    expect(await sign('provisioning', { ...one, authority: 'control-ca' })).toEqual({ code: 'ca.request_refused' });
  });

  it('refuses a name that is not the device’s', async () => {
    const request = { ...vehicleRequest('device-12345'), csr: newCsr('device-99999') };
    expect(await sign('provisioning', request)).toEqual({ code: 'ca.request_refused' });
  });
});

describe('the denylist', () => {
  it('stops a denied device, a denied key, and a retry that comes after the denial', async () => {
    const early = vehicleRequest('device-stolen');
    expect(await sign('provisioning', early)).toHaveProperty('certificate');
    const other = vehicleRequest('device-innocent');
    const { keyThumbprint } = parseCertificationRequest(other.csr);
    await deny({ kind: 'device', value: 'device-stolen' }, { kind: 'key', value: keyThumbprint });
    for (const request of [early, vehicleRequest('device-stolen'), other]) {
      expect(await sign('provisioning', request)).toEqual({ code: 'ca.subject_denied' });
    }
    expect(await sign('provisioning', vehicleRequest('device-innocent'))).toHaveProperty('certificate');
  });

  it('stops a service whose certificate is denied', async () => {
    const before = identities.get('command') as Party;
    await deny({ kind: 'certificate', value: before.certificate.thumbprint });
    const request = signerRequest();
    expect(await sign('command', request)).toEqual({ code: 'ca.requester_refused' });
    identities.set('command', await issueService(fleet, 'command'));
    expect(await sign('command', request)).toHaveProperty('certificate');
  });
});

describe('the log of issued certificates', () => {
  it('cannot be changed by the runtime role', async () => {
    await sign('provisioning', vehicleRequest());
    const client = await database.admin();
    try {
      await client.query('SET ROLE fleet_ca');
      for (const table of ['issued_certificates', 'signed_crls']) {
        for (const attempt of [`UPDATE ${table} SET issuer = 'x'`, `DELETE FROM ${table}`, `TRUNCATE ${table}`]) {
          const sql = attempt.replace('issuer =', table === 'issued_certificates' ? 'profile =' : 'issuer =');
          await expect(client.query(sql)).rejects.toMatchObject({ code: '42501' });
        }
      }
    } finally {
      await client.end();
    }
  });

  it('answers ca.certificate.get.v1 by serial number and by thumbprint', async () => {
    const { ref } = await sign('provisioning', vehicleRequest('device-found'));
    for (const by of [{ serialNumber: ref.serialNumber }, { thumbprint: ref.thumbprint }]) {
      expect(await ask('revocation', certificateGet.subject, by)).toMatchObject({ profile: 'vehicle', ref });
    }
    expect(await ask('revocation', certificateGet.subject, { serialNumber: '0badc0de' })).toEqual({
      code: 'ca.certificate_unknown',
    });
  });
});

describe('ca.crl.sign.v1', () => {
  it('signs a list under the vehicle CA, and its number only goes forward', async () => {
    const issued = await sign('provisioning', vehicleRequest('device-revoked'));
    const request = crlRequest(10, issued.ref.serialNumber);
    const { crl } = crlSign.reply.parse(await signCrl('revocation', request));
    const leaf = parseCertificate(issued.certificate);
    const entry = revocationOf(leaf, parseCrl(crl), fleet.vehicleCa.certificate, new Date());
    expect(entry).toMatchObject({ serialNumber: issued.ref.serialNumber, reason: 'keyCompromise' });
    expect(await signCrl('revocation', request)).toHaveProperty('crl');
    expect(await signCrl('revocation', crlRequest(10))).toEqual({ code: 'ca.request_refused' });
    expect(await signCrl('revocation', crlRequest(9))).toEqual({ code: 'ca.request_refused' });
    expect(await signCrl('revocation', crlRequest(11))).toHaveProperty('crl');
  });

  it('signs none for another service', async () => {
    expect(await signCrl('provisioning', crlRequest(100))).toEqual({ code: 'ca.requester_refused' });
  });
});

describe('the service', () => {
  it('is ready when its CA certificates are valid and its connections are up', async () => {
    expect(await app.get(Readiness).report()).toMatchObject({
      checks: { 'ca-certificates': { ok: true }, postgres: { ok: true } },
    });
  });
});
