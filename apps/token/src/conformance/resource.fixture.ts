/** A resource that takes vehicles' tokens, in telemetry's place; several instances share a database, as replicas do. */
import { Controller, Get, Module } from '@nestjs/common';
import { InstanceId } from '@outrider/ids';
import { AdmitToken, Admitted, DenylistFeed, type VehicleAdmission } from '@outrider/platform/admission';
import { Listeners, On } from '@outrider/platform/http';
import { migrate } from '@outrider/platform/postgres';
import { createApplication, createLogger, serviceConfig } from '@outrider/platform/service';
import { createTestDatabase, freePort, TRUST_DOMAIN, testServiceConfig } from '@outrider/testing';
import { type Ground, until } from '../token.fixture.js';

@Controller('v1/telemetry')
class ResourceController {
  @Get('window')
  @On('vehicle')
  @AdmitToken({ scopes: ['telemetry:write'] })
  who(@Admitted() { deviceId, claims }: VehicleAdmission) {
    return { deviceId, cnf: claims.cnf };
  }
}

@Module({ controllers: [ResourceController] })
class ResourceModule {}

export interface Replicas {
  /** Vehicle listeners, one an instance. */
  readonly ports: readonly number[];
  stop(): Promise<void>;
}

/** `dpop`: as the token service has it, the nonce's key being another service's own. */
export async function startResource(
  { fleet, nats, neighbours, config: { tokenIssuer } }: Ground,
  dpop: { readonly nonceKeyFile: string; readonly publicUrls: readonly string[] },
  instances: number,
): Promise<Replicas> {
  const database = await createTestDatabase('telemetry');
  const { config: common } = await testServiceConfig('telemetry', { fleet, database, nats });
  const logger = createLogger('telemetry', InstanceId.parse('telemetry-00000000'), common.logLevel);
  const apps: Awaited<ReturnType<typeof createApplication>>[] = [];
  const ports: number[] = [];
  for (let n = 1; n <= instances; n++) {
    const [port, http, operator] = [await freePort(), await freePort(), await freePort()];
    const trustedProxies = [`spiffe://${TRUST_DOMAIN}/service/edge-1`];
    const { listeners } = common;
    const config = serviceConfig({}).parse({
      ...common,
      tokenIssuer,
      listeners: {
        http: { ...listeners.http, port: http },
        operator: { ...listeners.operator, port: operator },
        vehicle: { ...listeners.vehicle, port, dpop, trustedProxies },
      },
    });
    if (n === 1) await migrate(config, [], logger);
    const instance = InstanceId.parse(`telemetry-0000000${n}`);
    const runtime = { service: 'telemetry' as const, instance, config, logger };
    const app = await createApplication({ module: ResourceModule, entities: [] }, runtime);
    await app.get(Listeners).open();
    neighbours.denylist.beat();
    await until(() => app.get(DenylistFeed).freshness() === 'fresh');
    apps.push(app);
    ports.push(port);
  }
  const stop = async () => {
    for (const app of apps) await app.close();
    await database.drop();
  };
  return { ports, stop };
}
