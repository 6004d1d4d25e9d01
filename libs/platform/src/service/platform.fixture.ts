/** provisioning's listeners, database and NATS before a few routes of a test's own. */
import { Controller, Get, Injectable, Module, Post } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { InstanceId } from '@outrider/ids';
import { startGround, type TestGround } from '@outrider/testing';
import { z } from 'zod';
import { AdmitAnyone } from '../admission/decorators.provider.js';
import { JsonBody, On } from '../http/index.js';
import { Listeners } from '../http/listeners.service.js';
import { migrate } from '../postgres/index.js';
import { createApplication } from './boot.provider.js';
import { serviceConfig } from './config.js';
import { createLogger } from './logger.provider.js';

@Injectable()
@Controller()
class ProbeController {
  @Post('/probe')
  @On('http')
  @AdmitAnyone()
  echo(@JsonBody(z.strictObject({ n: z.int() })) body: { n: number }): { n: number } {
    return body;
  }

  @Get('/operator-only')
  @On('operator')
  @AdmitAnyone()
  operator(): string {
    return 'operator';
  }

  @Get('/bug')
  @On('http')
  @AdmitAnyone()
  bug(): never {
    throw new Error('secret detail');
  }
}

@Module({ controllers: [ProbeController] })
class ProbeModule {}

export interface PlatformGround extends TestGround {
  readonly app: NestFastifyApplication;
  readonly httpUrl: string;
  readonly operatorUrl: string;
}

export async function startPlatform(): Promise<PlatformGround> {
  const ground = await startGround('provisioning');
  const config = serviceConfig({}).parse(ground.config);
  const instance = InstanceId.parse('provisioning-00000001');
  const logger = createLogger('provisioning', instance, config.logLevel);
  await migrate(config, [], logger);
  const runtime = { service: 'provisioning' as const, instance, config, logger };
  const app = await createApplication({ module: ProbeModule, entities: [] }, runtime);
  await app.get(Listeners).open();
  return {
    ...ground,
    app,
    httpUrl: `http://127.0.0.1:${config.listeners.http.port}`,
    operatorUrl: `https://127.0.0.1:${config.listeners.operator!.port}`,
    stop: async () => {
      await app.close();
      await ground.stop();
    },
  };
}
