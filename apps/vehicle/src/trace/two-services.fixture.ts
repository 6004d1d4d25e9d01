/** Two services with routes of the test's own: command takes a vehicle's request and asks provisioning, which writes, and tells of it by its outbox. */
import { Controller, Injectable, Module, type OnModuleInit, Post, type Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { deviceChanged, deviceGet } from '@outrider/contracts';
import { DeviceId, InstanceId, type Service } from '@outrider/ids';
import { AdmitAnyone, DenylistFeed } from '@outrider/platform/admission';
import { Listeners, On } from '@outrider/platform/http';
import { Nats, Subscriptions } from '@outrider/platform/nats';
import { Database, migrate, Outbox } from '@outrider/platform/postgres';
import { createApplication, createLogger, Metrics, serviceConfig } from '@outrider/platform/service';
import {
  createTestDatabase,
  createTestFleet,
  startCollector,
  startDenylist,
  startNats,
  type TestDatabase,
  testServiceConfig,
  until,
} from '@outrider/testing';

export const DEVICE = DeviceId.parse('device-of-the-trace');
/** Looked for in all that is exported. */
export const SECRET = 'a-value-that-is-nobodys-business';
const device = {
  deviceId: DEVICE,
  state: 'active' as const,
  attestation: 'none' as const,
  grants: [],
  version: 1,
  minEpoch: 0,
  changedAt: '2026-01-01T00:00:00.000Z',
};

@Injectable()
class Registry implements OnModuleInit {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly database: Database,
    private readonly outbox: Outbox,
  ) {}

  onModuleInit(): void {
    this.subscriptions.answer(deviceGet, async () => {
      await this.database.transaction(async (tx) => {
        await tx.query('SELECT $1::text AS value', [SECRET]);
        await this.outbox.add(tx, deviceChanged, device, DEVICE);
      });
      return { device, certificates: [] };
    });
  }
}

@Controller()
class Asks implements OnModuleInit {
  constructor(
    private readonly nats: Nats,
    private readonly subscriptions: Subscriptions,
    private readonly database: Database,
  ) {}

  onModuleInit(): void {
    this.subscriptions.consume(deviceChanged, async () => void (await this.database.query('SELECT 1')));
  }

  @Post('/v1/probe/:id')
  @On('vehicle')
  @AdmitAnyone()
  vehicle(): Promise<object> {
    return this.nats.request(deviceGet, { deviceId: DEVICE });
  }

  @Post('/v1/operators-probe')
  @On('operator')
  @AdmitAnyone()
  operator(): Promise<object> {
    return this.nats.request(deviceGet, { deviceId: DEVICE });
  }
}

@Module({ providers: [Registry] })
class RegistryModule {}

@Module({ controllers: [Asks] })
class AsksModule {}

export async function startTwoServices(sampleRatio: number) {
  const [fleet, nats, collector] = await Promise.all([createTestFleet(), startNats(), startCollector()]);
  const tracing = { endpoint: collector.endpoint, sampleRatio, believeSampledOf: ['vehicle'], queueSize: 64 };
  const databases: TestDatabase[] = [];
  const start = async (service: Service, module: Type): Promise<[NestFastifyApplication, string, string]> => {
    const database = await createTestDatabase(service);
    databases.push(database);
    const { config: common } = await testServiceConfig(service, { fleet, database, nats });
    const config = serviceConfig({}).parse({ ...common, tracing });
    const instance = InstanceId.parse(`${service}-00000001`);
    const logger = createLogger(service, instance, config.logLevel);
    await migrate(config, [], logger);
    const app = await createApplication({ module, entities: [] }, { service, instance, config, logger });
    await app.get(Listeners).open();
    const url = (name: 'vehicle' | 'operator') => `https://127.0.0.1:${config.listeners[name]?.port}`;
    return [app, url('vehicle'), url('operator')];
  };
  const [registry] = await start('provisioning', RegistryModule);
  const denylist = await startDenylist(nats);
  const [asks, vehicleUrl, operatorUrl] = await start('command', AsksModule);
  await until(() => asks.get(DenylistFeed).freshness() === 'fresh', 20_000);
  return {
    fleet,
    collector,
    vehicleUrl,
    operatorUrl,
    metrics: () => asks.get(Metrics).registry.metrics(),
    stop: async () => {
      await denylist.stop();
      await Promise.all([asks.close(), registry.close()]);
      await Promise.all([collector.stop(), nats.stop(), ...databases.map((database) => database.drop())]);
    },
  };
}
