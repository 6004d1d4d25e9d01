import https from 'node:https';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Kvm } from '@nats-io/kv';
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { INSTANCES_BUCKET } from '@outrider/contracts';
import { InstanceId } from '@outrider/ids';
import {
  startDenylist,
  startGround,
  startTokenService,
  type TestDenylist,
  type TestGround,
  type TestTokenService,
  until,
} from '@outrider/testing';
import { AdmitAnyone } from '../admission/decorators.provider.js';
import { On } from '../http/index.js';
import { Listeners } from '../http/listeners.service.js';
import { migrate } from '../postgres/index.js';
import { createApplication, drainAndClose } from './boot.provider.js';
import { serviceConfig } from './config.js';
import { Drain } from './drain.service.js';
import { createLogger } from './logger.provider.js';

const UNTIL_MS = 20_000;
/** Longer than the test: it ends each half itself. */
const DRAIN_DELAY_MS = 300_000;
const instance = InstanceId.parse('provisioning-0000000d');
const slow = Promise.withResolvers<string>();
const arrived = Promise.withResolvers<void>();

@Injectable()
@Controller()
class ProbeController {
  @Get('/quick')
  @On('operator')
  @AdmitAnyone()
  quick(): string {
    return 'quick';
  }

  @Get('/slow')
  @On('operator')
  @AdmitAnyone()
  slow(): Promise<string> {
    arrived.resolve();
    return slow.promise;
  }
}

@Module({ controllers: [ProbeController] })
class ProbeModule {}

let ground: TestGround;
let denylist: TestDenylist;
let token: TestTokenService;
let app: NestFastifyApplication;
let stopped: Promise<void> | undefined;
let config: ReturnType<typeof parse>;
const parse = serviceConfig({}).parse.bind(serviceConfig({}));

beforeAll(async () => {
  ground = await startGround('provisioning');
  denylist = await startDenylist(ground.nats);
  token = await startTokenService(ground.nats, ground.config.tokenIssuer);
  config = parse({ ...ground.config, shutdown: { drainDelayMs: DRAIN_DELAY_MS, finishMs: UNTIL_MS } });
  const logger = createLogger('provisioning', instance, config.logLevel);
  await migrate(config, [], logger);
  const runtime = { service: 'provisioning' as const, instance, config, logger };
  app = await createApplication({ module: ProbeModule, entities: [] }, runtime);
  await app.get(Listeners).open();
}, 60_000);
afterAll(async () => {
  slow.resolve('slow');
  await (stopped ?? app?.close());
  await denylist?.stop();
  await token?.stop();
  await ground?.stop();
});

interface Answer {
  readonly text: string;
  readonly connection: string | undefined;
}

/** Over a connection of its own where there is no agent. */
function ask(path: string, agent: https.Agent | false = false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { port: config.listeners.operator?.port, rejectUnauthorized: false, agent };
    https
      .get({ ...options, host: '127.0.0.1', path }, async (response) => {
        let text = '';
        for await (const chunk of response) text += chunk;
        resolve({ text, connection: response.headers.connection });
      })
      .once('error', reject);
  });
}

const readyz = async () => {
  const answer = await fetch(`http://127.0.0.1:${config.listeners.http.port}/readyz`);
  const { status: says } = (await answer.json()) as { status: string };
  return { status: answer.status, says };
};

async function hasLease(): Promise<boolean> {
  const connection = await ground.nats.connectAs('revocation');
  try {
    const bucket = await new Kvm(connection).open(INSTANCES_BUCKET.name);
    const entry = await bucket.get(`provisioning.${instance}`);
    return entry?.operation === 'PUT';
  } finally {
    await connection.close();
  }
}

it('is not ready first, then sends everybody away, then finishes what is under way, and gives its lease back', async () => {
  await until(async () => (await readyz()).status === 200, UNTIL_MS);
  await until(hasLease, UNTIL_MS);
  const kept = new https.Agent({ keepAlive: true });
  expect(await ask('/quick', kept)).toEqual({ text: 'quick', connection: 'keep-alive' });

  stopped = drainAndClose(app);
  expect(await readyz()).toEqual({ status: 503, says: 'draining' });
  // Whoever has not heard of it yet is served as before.
  expect(await ask('/quick', kept)).toEqual({ text: 'quick', connection: 'keep-alive' });
  expect(await ask('/quick')).toMatchObject({ text: 'quick' });

  const underWay = ask('/slow', new https.Agent({ keepAlive: true }));
  await arrived.promise;
  app.get(Drain).now();
  await until(() => app.get(Drain).isLeaving, UNTIL_MS);
  // Newcomers are still taken; whoever has an answer goes elsewhere with the next question.
  expect(await ask('/quick', kept)).toEqual({ text: 'quick', connection: 'close' });

  app.get(Drain).now();
  await until(
    () =>
      ask('/quick').then(
        () => false,
        (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
      ),
    UNTIL_MS,
  );
  slow.resolve('slow');
  expect(await underWay).toMatchObject({ text: 'slow' });
  await stopped;
  expect(await hasLease()).toBe(false);
  kept.destroy();
}, 90_000);
