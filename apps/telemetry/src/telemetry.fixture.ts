import https from 'node:https';
import { canonicalize } from '@outrider/canonicalization';
import { sign } from '@outrider/crypto';
import { DeviceId, InstanceId } from '@outrider/ids';
import { DenylistFeed, JwksKeys } from '@outrider/platform/admission';
import { Listeners } from '@outrider/platform/http';
import { migrate } from '@outrider/platform/postgres';
import { createApplication, createLogger } from '@outrider/platform/service';
import {
  createTestDatabase,
  createTestFleet,
  issueVehicle,
  type KeyType,
  type Party,
  startNats,
  type TestDatabase,
  type TestFleet,
  type TestNats,
  testServiceConfig,
} from '@outrider/testing';
import { Authority, TOKEN_KEY_ID } from './authority.fixture.js';
import { Config } from './config.js';
import { TELEMETRY } from './service.provider.js';

/** What every test of the running service shares: a fleet, a database, NATS. */
export interface Ground {
  readonly fleet: TestFleet;
  readonly database: TestDatabase;
  readonly nats: TestNats;
  readonly authority: Authority;
  /** Closed when the ground is. */
  vehicle(name: string, keyType?: KeyType): Promise<TestVehicle>;
  /** By the database's superuser. */
  query<R extends object>(sql: string, values?: readonly unknown[]): Promise<R[]>;
  /** What is to be closed before the ground is, the last first. */
  closing(close: () => unknown): void;
  stop(): Promise<void>;
}

export async function prepareGround(): Promise<Ground> {
  const [fleet, database, nats] = await Promise.all([createTestFleet(), createTestDatabase('telemetry'), startNats()]);
  const { config } = await testServiceConfig('telemetry', { fleet, database, nats });
  const parsed = Config.parse({ ...config, ...OWN_KEYS });
  await migrate(
    parsed,
    TELEMETRY.migrations,
    createLogger('telemetry', InstanceId.parse('telemetry-00000000'), 'fatal'),
    async (owner) => TELEMETRY.asOwner?.(owner, parsed),
  );
  const authority = await Authority.start(nats);
  const open: (() => unknown)[] = [];
  const ground: Ground = {
    ...{ fleet, database, nats, authority },
    vehicle: async (name, keyType) => {
      const vehicle = await TestVehicle.create(ground, name, keyType);
      open.push(() => vehicle.close());
      return vehicle;
    },
    query: async (sql, values = []) => {
      const client = await database.admin();
      try {
        return (await client.query(sql, [...values])).rows;
      } finally {
        await client.end();
      }
    },
    closing: (close) => void open.push(close),
    stop: async () => {
      for (const close of open.reverse()) await close();
      await authority.stop();
      await nats.stop();
      await database.drop();
    },
  };
  return ground;
}

export const OWN_KEYS = {
  skewSeconds: 120,
  maxQueuedRecords: 8192,
  maxQueuedRecordsPerDevice: 4096,
  commitLagMs: 10_000,
  limits: { device: { perSecond: 100_000, burst: 100_000 }, fleet: { perSecond: 1_000_000, burst: 1_000_000 } },
  retentionDays: 400,
};

export interface Service {
  readonly vehicleUrl: string;
  readonly operatorUrl: string;
  get app(): Awaited<ReturnType<typeof createApplication>>;
  close(): Promise<void>;
}

/** One more instance of the service on that ground, which closes it at the latest. */
export async function startService(ground: Ground, number: number, keys: object = {}): Promise<Service> {
  const { config } = await testServiceConfig('telemetry', ground);
  const parsed = Config.parse({ ...config, ...OWN_KEYS, ...keys });
  const instance = InstanceId.parse(`telemetry-0000000${number}`);
  const logger = createLogger('telemetry', instance, parsed.logLevel);
  const app = await createApplication(TELEMETRY, { service: 'telemetry', instance, config: parsed, logger });
  await app.get(Listeners).open();
  await until(() => app.get(DenylistFeed).freshness() === 'fresh' && app.get(JwksKeys).get(TOKEN_KEY_ID) !== undefined);
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= app.close();
    return closed;
  };
  ground.closing(close);
  return {
    vehicleUrl: `https://127.0.0.1:${parsed.listeners.vehicle!.port}`,
    operatorUrl: `https://127.0.0.1:${parsed.listeners.operator!.port}`,
    app,
    close,
  };
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: import('node:http').IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came back
  readonly body: any;
}

/** A vehicle with its key, its certificate, and a connection kept open. */
export class TestVehicle {
  private readonly agent: https.Agent;

  private constructor(
    readonly deviceId: DeviceId,
    readonly party: Party,
    private readonly authority: Authority,
    ca: string,
  ) {
    this.agent = new https.Agent({
      keepAlive: true,
      maxSockets: 4,
      ca,
      cert: party.certificatePem,
      key: party.privateKeyPem,
    });
  }

  static async create({ fleet, authority }: Ground, name: string, keyType: KeyType = 'Ed25519'): Promise<TestVehicle> {
    const deviceId = DeviceId.parse(name);
    const party = await issueVehicle(fleet, deviceId, { keyType });
    return new TestVehicle(deviceId, party, authority, fleet.root.certificatePem);
  }

  payload(seq: unknown, more: object = {}): Record<string, unknown> {
    return { device_id: this.deviceId, seq, ts: Math.floor(Date.now() / 1000), telemetry: { speed: 42.5 }, ...more };
  }

  /** A whole message over the JCS of its payload. */
  message(seq: unknown, more: object = {}): { payload: Record<string, unknown>; signature: string } {
    return this.signed(this.payload(seq, more));
  }

  signed(payload: Record<string, unknown>): { payload: Record<string, unknown>; signature: string } {
    return {
      payload,
      signature: sign(this.party.privateKey, Buffer.from(canonicalize(payload))).toString('base64url'),
    };
  }

  post(service: Service, body: unknown, type = 'application/json', headers: object = {}): Promise<HttpAnswer> {
    const sent = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    return this.request(service.vehicleUrl, 'POST', '/v1/telemetry', sent, { 'content-type': type, ...headers });
  }

  get(service: Service, path: string): Promise<HttpAnswer> {
    return this.request(service.vehicleUrl, 'GET', path);
  }

  /** Bytes, with a token for offline logs. */
  put(service: Service, path: string, bytes: Uint8Array, type: string): Promise<HttpAnswer> {
    const headers = { authorization: `Bearer ${this.token('telemetry:backfill')}`, 'content-type': type };
    return httpsRequest(service.vehicleUrl + path, { method: 'PUT', agent: this.agent, headers }, bytes);
  }

  /** As JSON, with a token of that scope. */
  ask(
    service: Service,
    method: string,
    path: string,
    body?: unknown,
    scope = 'telemetry:backfill',
  ): Promise<HttpAnswer> {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { authorization: `Bearer ${this.token(scope)}`, ...type };
    const text = body === undefined ? undefined : JSON.stringify(body);
    return httpsRequest(service.vehicleUrl + path, { method, agent: this.agent, headers }, text);
  }

  token(scope = 'telemetry:write'): string {
    return this.authority.deviceToken(this.deviceId, this.party.certificate.thumbprint, scope);
  }

  close(): void {
    this.agent.destroy();
  }

  private request(
    base: string,
    method: string,
    path: string,
    body?: string | Uint8Array,
    more: object = {},
  ): Promise<HttpAnswer> {
    const headers = { authorization: `Bearer ${this.token()}`, ...more };
    return httpsRequest(base + path, { method, agent: this.agent, headers }, body);
  }
}

export function httpsRequest(
  url: string,
  options: https.RequestOptions,
  body?: string | Uint8Array,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = https.request(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode!, headers: response.headers, body: text ? JSON.parse(text) : undefined });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** What the database holds of a device, by its superuser. */
export function stored(ground: Ground, deviceId: string): Promise<{ seq: number; payload: string }[]> {
  return ground.query(
    `SELECT seq::float8 AS seq, convert_from(payload, 'UTF8') AS payload FROM messages WHERE device_id = $1 ORDER BY received_at, seq`,
    [deviceId],
  );
}

export async function until(condition: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
