/** revocation as it runs, on a real PostgreSQL and NATS; the services around it are real clients under their own NATS users. */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

import {
  authorityList,
  type CertificateRef,
  CertificatesSignRequest,
  type CrlSignRequest,
  certificateGet,
  certificatesSign,
  denylistEnforced,
  type EventContract,
  INSTANCES_BUCKET,
  subjectOf,
} from '@outrider/contracts';
import { keyThumbprint, parseJws, signDer } from '@outrider/crypto';
import { DeviceId, InstanceId, SerialNumber } from '@outrider/ids';
import { JwksKeys } from '@outrider/platform/admission';
import { Listeners } from '@outrider/platform/http';
import { migrate } from '@outrider/platform/postgres';
import { createApplication, createLogger } from '@outrider/platform/service';
import {
  issue,
  issueVehicle,
  startGround,
  startTokenService,
  type TestDatabase,
  type TestFleet,
  type TestGround,
  type TestNats,
  until,
} from '@outrider/testing';
import { issueCertificate, OID, type ParsedCertificate, parseCertificationRequest } from '@outrider/x509';
import { Config } from './config.js';
import { answerCrls } from './crl/crl-clerk.fixture.js';
import { definition } from './revocation.module.js';

export { until };

export interface Suite {
  readonly fleet: TestFleet;
  readonly database: TestDatabase;
  readonly nats: TestNats;
  readonly config: Config;
  readonly caClerk: CaClerk;
  readonly httpUrl: string;
  app: NestFastifyApplication;
  /** Another replica of the service, or the same again after `app.close()`. */
  startApp(instance?: string): Promise<NestFastifyApplication>;
  /** Any request to the operator listener. */
  call(method: string, path: string, body?: object | string, options?: PostOptions): Promise<Answer>;
  /** POST on the operator listener with `curl -d`'s content type, unless told otherwise. */
  post(path: string, body: object | string, options?: PostOptions): Promise<Answer>;
  operatorToken(scope: string, subject?: string): string;
  stop(): Promise<void>;
}

export interface PostOptions {
  readonly scope?: string;
  readonly contentType?: string;
  /** Instead of one of an operator nobody met before. */
  readonly token?: string;
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what came over the wire is looked at by tests alone
  readonly body: any;
}

export async function startSuite(crl: Partial<Config['crl']> = {}): Promise<Suite> {
  const ground = await startGround('revocation');
  const { config: common, database, fleet, nats } = ground;
  const { vehicle: _, ...listeners } = common.listeners;
  const config = Config.parse({
    ...common,
    listeners,
    crl: {
      ...{ baseUrl: 'http://127.0.0.1:9105/crl', shardCount: 2, intervalSeconds: 3600, validitySeconds: 7200 },
      delta: { intervalSeconds: 3600, validitySeconds: 7200 },
      ...crl,
    },
    ocsp: { validitySeconds: 600, signaturesPerSecond: 50, infrastructureSigner: await ocspSigner(ground) },
    denylist: { renewalGraceSeconds: 3600, skewSeconds: 60 },
    jobs: { aloneAtMost: 5 },
  });
  await migrate(
    config,
    definition.migrations,
    createLogger('revocation', 'revocation-00000000' as InstanceId, 'fatal'),
  );
  const [caClerk, tokens] = await Promise.all([startCaClerk(fleet, nats), startTokenService(nats, config.tokenIssuer)]);
  const startApp = async (name = 'revocation-00000001') => {
    const instance = InstanceId.parse(name);
    const logger = createLogger('revocation', instance, config.logLevel);
    const app = await createApplication(definition, { service: 'revocation', instance, config, logger });
    return app;
  };
  const suite: Suite = {
    fleet,
    database,
    nats,
    config,
    caClerk,
    httpUrl: `http://127.0.0.1:${config.listeners.http.port}`,
    app: await startApp(),
    startApp,
    call: (method, path, body, { scope = 'ca:revoke', contentType = 'application/json', token } = {}) =>
      send(method, `https://127.0.0.1:${config.listeners.operator?.port}${path}`, fleet.root.certificatePem, body, {
        authorization: `Bearer ${token ?? tokens.operatorToken(scope)}`,
        ...(body === undefined ? {} : { 'content-type': contentType }),
      }),
    post: (path, body, options = {}) =>
      suite.call('POST', path, body, { contentType: 'application/x-www-form-urlencoded', ...options }),
    operatorToken: (scope, subject) => tokens.operatorToken(scope, subject),
    stop: async () => {
      await suite.app.close();
      await Promise.all([caClerk.stop(), tokens.stop()]);
      await ground.stop();
    },
  };
  await suite.app.get(Listeners).open();
  await until(() => suite.app.get(JwksKeys).get(tokens.keyId) !== undefined);
  return suite;
}

/** As the ceremony makes it for service certificates. */
async function ocspSigner({ fleet, directory }: TestGround) {
  const signer = await issue('infrastructure-ocsp-signer', fleet.infrastructureCa, { name: 'ocsp-signer' });
  const [certificateFile, keyFile] = [join(directory, 'ocsp-signer.crt'), join(directory, 'ocsp-signer.key')];
  writeFileSync(certificateFile, signer.certificatePem);
  writeFileSync(keyFile, signer.privateKeyPem);
  return { certificateFile, keyFile };
}

/** In fleet-ca's place: knows the certificates it is given, signs CRLs that are asked for by revocation's key. */
export interface CaClerk {
  readonly certificates: ParsedCertificate[];
  readonly crlRequests: CrlSignRequest[];
  /** Serial numbers that it was asked about. */
  readonly askedFor: string[];
  /** While set, no OCSP signer is certified. */
  refusesSigners: boolean;
  /** Beside the first, and signing with its key all the same. */
  readonly furtherIssuers: { authority: string; generation: number; issuerKeyId: string; crlPrefix: string }[];
  stop(): Promise<void>;
}

async function startCaClerk(fleet: TestFleet, nats: TestNats): Promise<CaClerk> {
  const connection = await nats.connectAs('fleet-ca');
  const clerk: CaClerk = {
    certificates: [],
    crlRequests: [],
    askedFor: [],
    refusesSigners: false,
    furtherIssuers: [],
    stop: () => connection.close(),
  };
  connection.subscribe(certificateGet.subject, {
    callback: (_error, msg) => {
      const by = certificateGet.payload.parse(msg.json());
      if ('serialNumber' in by) clerk.askedFor.push(by.serialNumber);
      const found = clerk.certificates.find((certificate) =>
        'thumbprint' in by ? certificate.thumbprint === by.thumbprint : certificate.serialNumber === by.serialNumber,
      );
      const ok = found && { certificate: base64(found.der), profile: 'vehicle', ref: refOf(found) };
      msg.respond(JSON.stringify(ok ? { ok } : { error: { code: 'ca.certificate_unknown' } }));
    },
  });
  connection.subscribe(certificatesSign.subject, {
    callback: (_error, msg) => {
      if (clerk.refusesSigners) msg.respond(JSON.stringify({ error: { code: 'ca.key_unavailable' } }));
      else void certifyOcspSigner(fleet, msg);
    },
  });
  connection.subscribe(authorityList.subject, {
    callback: (_error, msg) => {
      const issuerKeyId = fleet.vehicleCa.certificate.subjectKeyId;
      const issuers = [{ authority: 'vehicle-ca', generation: 1, issuerKeyId, crlPrefix: '' }];
      msg.respond(JSON.stringify({ ok: { issuers: [...issuers, ...clerk.furtherIssuers] } }));
    },
  });
  answerCrls(connection, fleet, clerk.crlRequests);
  return clerk;
}

async function certifyOcspSigner(fleet: TestFleet, msg: Msg): Promise<void> {
  const { payload } = parseJws(certificatesSign.payload.parse(msg.json()).request, 1_048_576);
  const { items } = CertificatesSignRequest.parse(JSON.parse(Buffer.from(payload).toString()));
  const [item] = items;
  const { certificate: issuer, privateKey } = fleet.vehicleCa;
  const now = Math.floor(Date.now() / 1000) * 1000;
  const certificate = await issueCertificate(
    {
      profile: 'ocsp-signer',
      serialNumber: SerialNumber.parse(randomBytes(16).toString('hex')),
      subject: [{ type: OID.commonName, value: 'ocsp' }],
      spkiDer: parseCertificationRequest(item?.csr ?? '').spkiDer,
      notBefore: new Date(now - 60_000),
      notAfter: new Date(now + 3_600_000),
    },
    issuer,
    (tbs) => signDer(privateKey, tbs),
  );
  const chain = [base64(issuer.der)];
  const signed = { requestId: item?.requestId, certificate: base64(certificate.der), chain, ref: refOf(certificate) };
  msg.respond(JSON.stringify({ ok: { items: [signed] } }));
}

/** An instance of another service: a lease, a watch of the bucket, an acknowledgement for what it sees. */
export async function startInstance(nats: TestNats, service: 'telemetry' | 'token', name: string, deaf = false) {
  const connection = await nats.connectAs(service);
  const lease = `$KV.${INSTANCES_BUCKET.name}.${service}.${name}`;
  await jetstream(connection).publish(lease, JSON.stringify({ sequence: 0, at: new Date().toISOString() }));
  const seen: { key: string; value: Record<string, unknown>; atMs: number }[] = [];
  const bucket = await new Kvm(connection).open('DENYLIST', { bindOnly: true });
  const watch = await bucket.watch();
  void (async () => {
    for await (const { key, value, operation } of watch) {
      if (operation !== 'PUT') continue;
      const record = JSON.parse(Buffer.from(value).toString()) as Record<string, unknown>;
      seen.push({ key, value: record, atMs: performance.now() });
      if (deaf) continue;
      const payload = { instance: name, sequence: record.sequence, closedConnections: 0 };
      connection.publish(subjectOf(denylistEnforced, name), JSON.stringify(payload));
    }
  })();
  return {
    seen,
    stop: async () => {
      watch.stop();
      await connection.close();
    },
  };
}

export function publishEvent(connection: NatsConnection, contract: EventContract, payload: object, routing?: string) {
  return jetstream(connection).publish(subjectOf(contract, routing), JSON.stringify(payload));
}

/** A fleet certificate and what identifies it. */
export async function vehicle(fleet: TestFleet, name: string, notAfter?: Date) {
  const deviceId = DeviceId.parse(name);
  const party = await issueVehicle(fleet, deviceId, notAfter ? { notAfter } : {});
  return { ...party, ref: { ...refOf(party.certificate), deviceId } };
}

export function refOf(certificate: ParsedCertificate): CertificateRef {
  return {
    issuerKeyId: certificate.authorityKeyId ?? '',
    serialNumber: certificate.serialNumber,
    thumbprint: certificate.thumbprint,
    keyThumbprint: keyThumbprint(certificate.spkiDer),
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function send(
  method: string,
  url: string,
  ca: string,
  body: object | string | undefined,
  headers: Record<string, string>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = https.request(url, { method, ca, agent: false, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode ?? 0, body: text ? JSON.parse(text) : undefined });
      });
    });
    request.on('error', reject);
    if (body === undefined) request.end();
    else request.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}
