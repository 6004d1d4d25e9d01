/** provisioning as it runs, on a real PostgreSQL and NATS, with a small signer in fleet-ca's place and clients that speak TLS. */
import { execFile } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { type DenylistKind, denylistAdd } from '@outrider/contracts';
import { InstanceId } from '@outrider/ids';
import { DenylistFeed, JwksKeys } from '@outrider/platform/admission';
import { Listeners } from '@outrider/platform/http';
import { migrate } from '@outrider/platform/postgres';
import { createApplication, createLogger } from '@outrider/platform/service';
import {
  type Party,
  startDenylist,
  startGround,
  startTokenService,
  type TestDatabase,
  type TestFleet,
  type TestNats,
  until,
} from '@outrider/testing';
import {
  createCertificationRequest,
  type ParsedCertificate,
  parseCertificate,
  parseCertsOnlyCms,
  toPem,
} from '@outrider/x509';
import { Config } from '../config.js';
import { labelPolicy } from '../label/label.fixture.js';
import type { LabelPolicy } from '../label/label.js';
import { ENTITIES, MIGRATIONS, ProvisioningModule } from '../provisioning.module.js';
import { type Signer, startSigner } from './signer.fixture.js';

export { until };

export const OVERLAP_SECONDS = 2;

export interface Suite {
  readonly app: NestFastifyApplication;
  readonly fleet: TestFleet;
  readonly database: TestDatabase;
  readonly nats: TestNats;
  readonly vehicleUrl: string;
  readonly operatorUrl: string;
  readonly signer: Signer;
  readonly revocation: Revocation;
  readonly operatorToken: (scope: string, subject?: string) => string;
  stop(): Promise<void>;
}

/** @param labels EST labels beside the default one. */
export async function startSuite(labels: Readonly<Record<string, LabelPolicy>> = {}): Promise<Suite> {
  const ground = await startGround('provisioning');
  const { config, database, directory, fleet, nats } = ground;
  const caFile = join(directory, 'factory.ca');
  writeFileSync(caFile, fleet.factoryCa.certificatePem);
  const parsed = Config.parse({
    ...config,
    labels: { default: labelPolicy({ overlapSeconds: OVERLAP_SECONDS }), ...labels },
    renewalInfo: { pollSeconds: 60 },
    approvals: { pendingSeconds: 3600, retryAfterSeconds: 1, perDevice: 2, perManufacturer: 100 },
    manufacturers: [{ name: 'demo-motors', caFile }],
  });
  const instance = InstanceId.parse('provisioning-00000001');
  const logger = createLogger('provisioning', instance, parsed.logLevel);
  await migrate(parsed, MIGRATIONS, logger);
  const definition = { module: ProvisioningModule, entities: ENTITIES };
  const app = await createApplication(definition, { service: 'provisioning', instance, config: parsed, logger });
  await app.get(Listeners).open();
  const [signer, revocation, token] = await Promise.all([
    startSigner(fleet, nats),
    startRevocation(nats),
    startTokenService(nats, parsed.tokenIssuer),
  ]);
  await until(
    async () => app.get(DenylistFeed).freshness() === 'fresh' && app.get(JwksKeys).get(token.keyId) !== undefined,
  );
  return {
    app,
    fleet,
    database,
    nats,
    signer,
    revocation,
    operatorToken: token.operatorToken,
    vehicleUrl: `https://127.0.0.1:${parsed.listeners.vehicle?.port}`,
    operatorUrl: `https://127.0.0.1:${parsed.listeners.operator?.port}`,
    stop: async () => {
      await Promise.all([signer.stop(), token.stop()]);
      await app.close();
      await revocation.stop();
      await ground.stop();
    },
  };
}

export interface Revocation {
  /** What provisioning asked to have on the denylist: `<kind> <value>`. */
  readonly added: readonly string[];
  deny(kind: DenylistKind, value: string): Promise<void>;
  stop(): Promise<void>;
}

/** Answers what provisioning asks of revocation, and writes the denylist. */
async function startRevocation(nats: TestNats): Promise<Revocation> {
  const denylist = await startDenylist(nats);
  const added: string[] = [];
  denylist.connection.subscribe(denylistAdd.subject, {
    callback: (_error, msg) => {
      for (const { kind, value } of denylistAdd.payload.parse(msg.json()).entries) added.push(`${kind} ${value}`);
      msg.respond(JSON.stringify({ ok: { sequence: 0, enforcedBy: [], pending: [] } }));
    },
  });
  return { added, deny: (kind, value) => denylist.deny({ kind, value }), stop: () => denylist.stop() };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

type Client = Pick<Party, 'certificatePem' | 'privateKeyPem'>;

/** One request on a connection of its own. */
export function send(
  suite: Pick<Suite, 'fleet'>,
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string; client?: Client | undefined } = {},
): Promise<Answer> {
  const { method = 'GET', headers = {}, body, client } = options;
  return new Promise((resolve, reject) => {
    const request = https.request(
      url,
      {
        method,
        headers,
        agent: false,
        ca: suite.fleet.root.certificatePem,
        ...(client ? { cert: client.certificatePem, key: client.privateKeyPem } : {}),
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(parts).toString(),
          }),
        );
      },
    );
    request.once('error', reject);
    request.end(body);
  });
}

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export const newKeys = (): KeyPair => generateKeyPairSync('ed25519');

/** Base64 of a request with this name. */
export function request(name: string, keys: KeyPair): string {
  return Buffer.from(createCertificationRequest({ subject: name, ...keys })).toString('base64');
}

type Operation = 'simpleenroll' | 'simplereenroll';

/** `operation`: with the label before it, where one is meant. */
export function est(
  suite: Suite,
  operation: Operation | `${string}/${Operation}`,
  client: Client | undefined,
  body: string,
): Promise<Answer> {
  const headers = { 'content-type': 'application/pkcs10', 'user-agent': 'test' };
  return send(suite, `${suite.vehicleUrl}/.well-known/est/${operation}`, { method: 'POST', headers, body, client });
}

/** The certificate of an answer, with the key it was asked for. Throws the answer's text for any status but 200. */
export function received(answer: Answer, keys: KeyPair): Client & { readonly certificate: ParsedCertificate } {
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`);
  const [der] = parseCertsOnlyCms(answer.body);
  const certificate = parseCertificate(der as Uint8Array);
  return {
    certificate,
    certificatePem: toPem(certificate.der, 'CERTIFICATE'),
    privateKeyPem: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

/** Runs a program of the system; resolves with its output whatever its exit code. */
export function run(
  program: string,
  args: readonly string[],
  input?: string,
): Promise<{ code: number; stdout: Buffer; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(program, [...args], { encoding: 'buffer', timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr: stderr.toString() }),
    );
    child.stdin?.end(input);
  });
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'outrider-est-'));
}
