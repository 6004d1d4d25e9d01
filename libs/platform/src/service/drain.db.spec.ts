import { once } from 'node:events';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Kvm } from '@nats-io/kv';
import { RequestError } from '@nats-io/transport-node';
import { Controller, Get, Injectable, Module, Req, Res } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { INSTANCES_BUCKET, targetsList } from '@outrider/contracts';
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
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { AdmitAnyone } from '../admission/decorators.provider.js';
import { DenylistFeed } from '../admission/denylist-feed.client.js';
import { On, StreamedAnswer } from '../http/index.js';
import { Listeners } from '../http/listeners.service.js';
import { Subscriptions } from '../nats/subscriptions.service.js';
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
const slowTargets = Promise.withResolvers<void>();
const targetsAsked = Promise.withResolvers<void>();
const last = Promise.withResolvers<void>();

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

  @Get('/stream')
  @On('operator')
  @AdmitAnyone()
  async stream(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const answer = new StreamedAnswer(request, reply, 'text/plain');
    await answer.write('first ');
    await last.promise;
    await answer.write('last');
    answer.end();
  }
}

@Injectable()
class ProbeAnswers {
  constructor(subscriptions: Subscriptions) {
    subscriptions.answer(targetsList, async () => {
      targetsAsked.resolve();
      await slowTargets.promise;
      return { deviceIds: [] };
    });
  }
}

@Module({ controllers: [ProbeController], providers: [ProbeAnswers] })
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
  slowTargets.resolve();
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
        resolve({ text: await text(response), connection: response.headers.connection });
      })
      .once('error', reject);
  });
}

/** An answer that has begun: all that it will say, and the end of its connection. */
function stream(agent: https.Agent): Promise<{ read: Promise<string>; ended: Promise<unknown> }> {
  return new Promise((resolve, reject) => {
    https
      .get({
        port: config.listeners.operator?.port,
        rejectUnauthorized: false,
        agent,
        host: '127.0.0.1',
        path: '/stream',
      })
      .once('error', reject)
      .once('response', (response) => {
        expect(response.headers.connection).toBe('keep-alive');
        resolve({ read: text(response), ended: once(response.socket, 'close') });
      });
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

/** Over NATS, as revocation. */
const askForTargets = (timeout: number) =>
  denylist.connection.request(
    targetsList.subject,
    JSON.stringify({ target: { label: 'any' }, after: '', limit: 1 } satisfies z.input<typeof targetsList.payload>),
    { timeout },
  );

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
  const begun = new https.Agent({ keepAlive: true });
  const { read, ended } = await stream(begun);
  app.get(Drain).now();
  await until(() => app.get(Drain).isLeaving, UNTIL_MS);
  // Newcomers are still taken; whoever has an answer goes elsewhere with the next question.
  expect(await ask('/quick', kept)).toEqual({ text: 'quick', connection: 'close' });
  // So does whoever was promised that the connection is kept: it ends with the answer.
  last.resolve();
  expect(await read).toBe('first last');
  await ended;

  const answerUnderWay = askForTargets(60_000);
  await targetsAsked.promise;
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

  // Nobody is heard any more over NATS; who is being answered is so by an instance that knows whom to refuse, and that revocation waits for.
  await until(
    () =>
      askForTargets(1000).then(
        () => false,
        (error: unknown) => error instanceof RequestError && error.isNoResponders(),
      ),
    UNTIL_MS,
  );
  expect(await hasLease()).toBe(true);
  await denylist.deny({ kind: 'device', value: 'device-denied-late' });
  await until(() => app.get(DenylistFeed).match({ deviceId: 'device-denied-late' as never }) !== undefined, UNTIL_MS);
  slowTargets.resolve();
  expect(JSON.parse((await answerUnderWay).string())).toMatchObject({ ok: { deviceIds: [] } });
  await stopped;
  expect(await hasLease()).toBe(false);
  kept.destroy();
}, 90_000);
