/** The probe service on a ground of its own, two vehicles, and a denylist that beats. */
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { jwksGet } from '@outrider/contracts';
import { DeviceId, InstanceId } from '@outrider/ids';
import {
  issueVehicle,
  type Party,
  startDenylist,
  startGround,
  type TestDenylist,
  type TestGround,
  until,
} from '@outrider/testing';
import { Listeners } from '../http/listeners.service.js';
import { migrate } from '../postgres/index.js';
import { createApplication } from '../service/boot.provider.js';
import { serviceConfig } from '../service/config.js';
import { createLogger } from '../service/logger.provider.js';
import { jwk } from './access-token.fixture.js';
import { type Answer, type Ask, askAt } from './ask.fixture.js';
import { DenylistFeed } from './denylist-feed.client.js';
import { ProbeModule } from './probe.fixture.js';

export const A = DeviceId.parse('device-a');
export const B = DeviceId.parse('device-b');

/** telemetry's listeners before the probe's routes. @param config as a ground gives it, or changed */
export async function startProbe(config: unknown, name = 'telemetry-00000001'): Promise<NestFastifyApplication> {
  const parsed = serviceConfig({}).parse(config);
  const instance = InstanceId.parse(name);
  const logger = createLogger('telemetry', instance, parsed.logLevel);
  await migrate(parsed, [], logger);
  const runtime = { service: 'telemetry' as const, instance, config: parsed, logger };
  const app = await createApplication({ module: ProbeModule, entities: [] }, runtime);
  await app.get(Listeners).open();
  return app;
}

export class AdmissionGround {
  private constructor(
    readonly ground: TestGround,
    readonly app: NestFastifyApplication,
    readonly denylist: TestDenylist,
    readonly a: Party,
    readonly b: Party,
  ) {}

  /** `operator`: of its listener, over what a ground gives it. */
  static async start(operator: object = {}): Promise<AdmissionGround> {
    const ground = await startGround('telemetry');
    const { fleet, nats } = ground;
    const [a, b, denylist, token] = await Promise.all([
      issueVehicle(fleet, A),
      issueVehicle(fleet, B),
      startDenylist(nats),
      nats.connectAs('token'),
    ]);
    token.subscribe(jwksGet.subject, {
      callback: (_error, msg) => void msg.respond(JSON.stringify({ ok: { keys: [jwk] } })),
    });
    const { config } = ground;
    const listeners = { ...config.listeners, operator: { ...config.listeners.operator, ...operator } };
    const app = await startProbe({ ...config, listeners });
    await until(() => app.get(DenylistFeed).freshness() === 'fresh');
    return new AdmissionGround(ground, app, denylist, a, b);
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.denylist.stop();
    await this.ground.stop();
  }

  get port() {
    const { vehicle, operator, http } = this.ground.config.listeners;
    return { vehicle: vehicle.port, operator: operator.port, http: http.port };
  }

  ask(path: string, asked: Ask = {}): Promise<Answer> {
    return askAt(this.ground.fleet, this.port, path, asked);
  }
}

/** Of a problem document. */
export const code = ({ body }: Answer) => (JSON.parse(body) as { code: string }).code;
