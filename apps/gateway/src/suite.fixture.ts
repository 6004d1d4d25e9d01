/** gateway as it runs, on a real PostgreSQL and NATS; the services around it are real clients under their own NATS users. */

import type { IncomingHttpHeaders } from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import {
  DENYLIST_BUCKET,
  type DenylistKind,
  denylistAdd,
  denylistKey,
  denylistRemove,
  deviceGet,
  type EventContract,
  type RequestContract,
  subjectOf,
} from '@outrider/contracts';

import { InstanceId } from '@outrider/ids';
import { JwksKeys } from '@outrider/platform/admission';
import { Listeners } from '@outrider/platform/http';
import { migrate } from '@outrider/platform/postgres';
import { createApplication, createLogger } from '@outrider/platform/service';
import { startGround, startTokenService, until } from '@outrider/testing';
import { Config } from './config.js';
import { definition } from './gateway.module.js';

export { until };

const POLICIES = join(import.meta.dirname, '../../../policies');

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: what came over the wire is looked at by tests alone
  readonly body: any;
}

export async function startSuite() {
  const ground = await startGround('gateway');
  const { config: common, database, fleet, nats } = ground;
  const { vehicle: _, ...listeners } = common.listeners;
  const config = Config.parse({
    ...common,
    listeners,
    enforcementWaitMs: 500,
    policies: { folder: POLICIES },
    decisions: { retentionDays: 400 },
  });
  const instance = InstanceId.parse('gateway-00000001');
  const logger = createLogger('gateway', instance, config.logLevel);
  await migrate(config, definition.migrations, logger, async (owner) => definition.asOwner?.(owner, config));
  const start = async (): Promise<NestFastifyApplication> => {
    const started = await createApplication(definition, { service: 'gateway', instance, config, logger });
    await started.get(Listeners).open();
    return started;
  };
  let app = await start();
  const [provisioning, revocation, telemetry] = (await Promise.all(
    ['provisioning', 'revocation', 'telemetry'].map((user) => nats.connectAs(user)),
  )) as [NatsConnection, NatsConnection, NatsConnection];
  const token = await startTokenService(nats, config.tokenIssuer);
  await until(() => app.get(JwksKeys).get(token.keyId) !== undefined);
  const call = (method: string, path: string, scope: string, body?: object, more = {}): Promise<Answer> => {
    const headers = {
      authorization: `Bearer ${token.operatorToken(scope)}`,
      // Block and unblock also take what plain curl -d sends.
      ...(body ? { 'content-type': method === 'POST' ? 'application/x-www-form-urlencoded' : 'application/json' } : {}),
      ...more,
    };
    const url = `https://127.0.0.1:${config.listeners.operator?.port}${path}`;
    return send(url, { method, ca: fleet.root.certificatePem, agent: false, headers }, body);
  };
  return {
    /** The one that runs now. */
    get app() {
      return app;
    },
    restart: async () => {
      await app.close();
      app = await start();
      await until(() => app.get(JwksKeys).get(token.keyId) !== undefined, 20_000);
    },
    nats,
    database,
    provisioning,
    revocation,
    telemetry,
    call,
    /** For a reader of what never ends. */
    stream: (scope: string, subject?: string) => ({
      port: config.listeners.operator?.port,
      token: token.operatorToken(scope, subject),
      ca: fleet.root.certificatePem,
    }),
    stop: async () => {
      await app.close();
      await Promise.all([provisioning, revocation, telemetry].map((connection) => connection.close()));
      await token.stop();
      await ground.stop();
    },
  };
}
export type Suite = Awaited<ReturnType<typeof startSuite>>;

/** Answers a request in another service's place. @returns what ends it. */
export function answer(
  connection: NatsConnection,
  contract: RequestContract,
  reply: (payload: never) => Promise<object>,
): () => void {
  const subscription = connection.subscribe(contract.subject, {
    callback: (_error, msg) =>
      void reply(contract.payload.parse(msg.json()) as never).then((body) => msg.respond(JSON.stringify(body))),
  });
  return () => subscription.unsubscribe();
}

/** What revocation would keep: who asked for what, in order; it enforces everything at once. */
export function startDenylist(connection: NatsConnection) {
  const asked: { verb: 'add' | 'remove'; entries: { value: string; mode?: string }[] }[] = [];
  const ends = ([denylistAdd, denylistRemove] as const).map((contract) =>
    answer(connection, contract, async (payload: { entries: { value: string }[] }) => {
      asked.push({ verb: contract === denylistAdd ? 'add' : 'remove', entries: payload.entries });
      const enforcedBy = [{ instance: 'telemetry-00000001', ms: 3 }];
      return { ok: { sequence: asked.length, enforcedBy, pending: [] } };
    }),
  );
  return { asked, stop: () => ends.forEach((end) => void end()) };
}

/** What provisioning would answer: the one device it knows, with the one certificate. */
export function startRegistry(connection: NatsConnection, deviceId: string, thumbprint: string) {
  const device = {
    deviceId,
    state: 'active',
    grants: [],
    attestation: 'none',
    minEpoch: 0,
    version: 1,
    changedAt: new Date(0).toISOString(),
  };
  const certificate = {
    deviceId,
    issuerKeyId: 'a'.repeat(40),
    serialNumber: '01',
    thumbprint,
    keyThumbprint: 'k'.repeat(43),
    notBefore: new Date(0).toISOString(),
    notAfter: new Date(1).toISOString(),
  };
  return answer(connection, deviceGet, async (payload: { deviceId: string }) =>
    payload.deviceId === deviceId
      ? { ok: { device, certificates: [certificate] } }
      : { error: { code: 'provisioning.device_not_found' } },
  );
}

export function publishEvent(connection: NatsConnection, contract: EventContract, payload: object, routing?: string) {
  return jetstream(connection).publish(subjectOf(contract, routing), JSON.stringify(payload));
}

function send(url: string, options: https.RequestOptions, body?: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = https.request(url, options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: text ? JSON.parse(text) : undefined });
      });
    });
    request.on('error', reject);
    request.end(body ? JSON.stringify(body) : undefined);
  });
}

/** An entry of the denylist, as revocation writes it: in force as it arrives. */
export function denyNow(connection: NatsConnection, kind: DenylistKind, value: string, sequence = 1) {
  const entry = { kind, value, mode: 'deny', reason: 'test', sequence };
  return jetstream(connection).publish(
    `$KV.${DENYLIST_BUCKET.name}.${denylistKey(kind, value)}`,
    JSON.stringify(entry),
  );
}
