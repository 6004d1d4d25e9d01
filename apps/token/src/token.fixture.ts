import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import https from 'node:https';
import { createServer, connect as netConnect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { type DenylistEntry, type DeviceSnapshot, deviceChanged, deviceGet, subjectOf } from '@outrider/contracts';
import { DeviceId, InstanceId } from '@outrider/ids';
import { DenylistFeed } from '@outrider/platform/admission';
import { Listeners } from '@outrider/platform/http';
import { Policies } from '@outrider/platform/policy';
import { migrate } from '@outrider/platform/postgres';
import { createApplication, createLogger } from '@outrider/platform/service';
import {
  createTestDatabase,
  createTestFleet,
  freePort,
  type Party,
  startDenylist,
  startNats,
  startPolicyOwner,
  type TestDatabase,
  type TestDenylist,
  type TestFleet,
  type TestNats,
  type TestPolicyOwner,
  TRUST_DOMAIN,
  testServiceConfig,
} from '@outrider/testing';
import { TokenConfig } from './config.js';
import { definition } from './token.module.js';

/** What every test of the running service shares: a fleet, a database that can be cut off, NATS, and the services around it. */
export interface Ground {
  readonly fleet: TestFleet;
  readonly database: TestDatabase;
  readonly nats: TestNats;
  readonly postgres: Cuttable;
  readonly neighbours: Neighbours;
  /** In gateway's place. */
  readonly gateway: TestPolicyOwner;
  readonly config: TokenConfig;
  stop(): Promise<void>;
}

export async function prepareGround({ policies = true } = {}): Promise<Ground> {
  const [fleet, database, nats] = await Promise.all([createTestFleet(), createTestDatabase('token'), startNats()]);
  const postgres = await Cuttable.start(database.host, database.port);
  const { config: common, directory } = await testServiceConfig('token', { fleet, database, nats });
  const encryptionKeyFile = join(directory, 'signing-keys.kek');
  writeFileSync(encryptionKeyFile, randomBytes(32).toString('hex'));
  const nonceKeyFile = join(directory, 'dpop-nonce');
  writeFileSync(nonceKeyFile, randomBytes(32).toString('hex'));
  const { vehicle } = common.listeners;
  const dpop = { nonceKeyFile, publicUrls: [`https://127.0.0.1:${vehicle.port}`, 'https://edge.example.com'] };
  const trustedProxies = [`spiffe://${TRUST_DOMAIN}/service/edge-1`];
  const config = TokenConfig.parse({
    ...common,
    listeners: { ...common.listeners, vehicle: { ...vehicle, dpop, trustedProxies } },
    database: { ...common.database, host: '127.0.0.1', port: postgres.port },
    signingKeys: { encryptionKeyFile, signSeconds: 86_400, publishSeconds: 600 },
    people: { webauthn: { rpId: 'localhost', rpName: 'Outrider', origins: ['https://localhost'] } },
    operatorUrl: `https://127.0.0.1:${common.listeners.operator.port}`,
  });
  await migrate(config, definition.migrations, createLogger('token', InstanceId.parse('token-00000000'), 'fatal'));
  const neighbours = await Neighbours.start(nats);
  const gateway = await startPolicyOwner(nats, fleet);
  if (policies) gateway.publish();
  const stop = async () => {
    await neighbours.stop();
    await gateway.stop();
    postgres.cut();
    await nats.stop();
    await database.drop();
  };
  return { fleet, database, nats, postgres, neighbours, gateway, config, stop };
}

/** An instance of the service; its listeners opened unless it is to run beside another one. */
export async function startService(
  { config, neighbours }: Ground,
  number: number,
  { listen = true, policies = true } = {},
): Promise<NestFastifyApplication> {
  const instance = InstanceId.parse(`token-0000000${number}`);
  const logger = createLogger('token', instance, config.logLevel);
  const app = await createApplication(definition, { service: 'token', instance, config, logger });
  if (listen) await app.get(Listeners).open();
  neighbours.denylist.beat();
  await until(() => app.get(DenylistFeed).freshness() === 'fresh');
  if (policies) await until(() => app.get(Policies).version !== undefined);
  return app;
}

/** Stands between the service and the one PostgreSQL of all tests, so that this service alone can lose it. */
export class Cuttable {
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;

  private constructor(
    private readonly host: string,
    private readonly target: number,
    readonly port: number,
  ) {}

  static async start(host: string, target: number): Promise<Cuttable> {
    const made = new Cuttable(host, target, await freePort());
    await made.mend();
    return made;
  }

  mend(): Promise<void> {
    return new Promise((resolve) => {
      this.server = createServer((from) => this.join(from)).listen(this.port, '127.0.0.1', resolve);
    });
  }

  cut(): void {
    this.server?.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private join(from: Socket): void {
    const to = netConnect(this.target, this.host);
    for (const socket of [from, to]) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        from.destroy();
        to.destroy();
      });
    }
    from.pipe(to).pipe(from);
  }
}

/** provisioning and revocation, as far as this service hears of them, on the real NATS under their own users. */
export class Neighbours {
  readonly registry = new Map<string, DeviceSnapshot>();
  /** Devices that provisioning was asked for. */
  asked: string[] = [];
  registryAway = false;

  private constructor(
    private readonly provisioning: Awaited<ReturnType<TestNats['connectAs']>>,
    readonly denylist: TestDenylist,
  ) {}

  static async start(nats: TestNats): Promise<Neighbours> {
    const made = new Neighbours(await nats.connectAs('provisioning'), await startDenylist(nats));
    made.provisioning.subscribe(deviceGet.subject, {
      callback: (_error, msg) => {
        const { deviceId } = msg.json<{ deviceId: string }>();
        made.asked.push(deviceId);
        if (made.registryAway) return;
        const device = made.registry.get(deviceId);
        const found = { ok: { device, certificates: [] } };
        msg.respond(JSON.stringify(device ? found : { error: { code: 'provisioning.device_not_found' } }));
      },
    });
    return made;
  }

  /** A device in the registry, which has not told anyone of it. */
  register(deviceId: string, changed: Partial<DeviceSnapshot> = {}): DeviceSnapshot {
    const changedAt = new Date().toISOString();
    const fresh = { state: 'active', grants: [], attestation: 'none', minEpoch: 0, version: 1, changedAt };
    const device = deviceGet.reply.shape.device.parse({ deviceId, ...fresh, ...changed });
    this.registry.set(deviceId, device);
    return device;
  }

  /** Publishes `deviceChanged`. */
  tell(device: DeviceSnapshot): void {
    this.provisioning.publish(subjectOf(deviceChanged, device.deviceId), JSON.stringify(device));
  }

  deny(kind: DenylistEntry['kind'], value: string, mode: DenylistEntry['mode'] = 'deny'): Promise<void> {
    return this.denylist.deny({ kind, value, mode });
  }

  async stop(): Promise<void> {
    await Promise.all([this.provisioning.close(), this.denylist.stop()]);
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: import('node:http').IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came back
  readonly body: any;
}

export interface Call {
  readonly party?: Party | undefined;
  readonly form?: Record<string, string> | string;
  readonly headers?: Record<string, string>;
  readonly method?: string;
}

/** One request on a connection of its own: POST with a form, else GET, unless `method` says otherwise. */
export function call(
  { config, fleet }: Ground,
  listener: 'vehicle' | 'operator',
  path: string,
  { party, form, headers = {}, method }: Call = {},
): Promise<Answer> {
  const body = form === undefined || typeof form === 'string' ? form : new URLSearchParams(form).toString();
  const type = body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
  const options: https.RequestOptions = {
    host: '127.0.0.1',
    port: config.listeners[listener]!.port,
    path,
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    agent: false,
    ca: fleet.root.certificatePem,
    ...(party ? { cert: party.certificatePem, key: party.privateKeyPem } : {}),
    headers: { ...type, ...headers },
  };
  return new Promise((resolve, reject) => {
    const request = https.request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: text === '' ? undefined : JSON.parse(text),
        });
      });
    });
    request.on('error', reject).end(body);
  });
}

/** A vehicle asks for a token. */
export function askToken(ground: Ground, party: Party | undefined, deviceId: string, fields = {}): Promise<Answer> {
  const form = { grant_type: 'client_credentials', client_id: deviceId, ...fields };
  return call(ground, 'vehicle', '/oauth2/token', { party, form });
}

export const device = (name: string) => DeviceId.parse(name);

export async function until(condition: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  for (const end = Date.now() + ms; !(await condition()); await new Promise((resolve) => setTimeout(resolve, 30))) {
    if (Date.now() > end) throw new Error('the condition did not come true in time');
  }
}
