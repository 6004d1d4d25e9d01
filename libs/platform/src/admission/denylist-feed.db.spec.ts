import { EventEmitter } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { connect } from '@nats-io/transport-node';
import { Denylist, type DenylistEntry } from '@outrider/admission';
import { DENYLIST_BUCKET, DENYLIST_HEARTBEAT_KEY, denylistEnforced, denylistKey } from '@outrider/contracts';
import { startNats, type TestNats, TRUST_DOMAIN } from '@outrider/testing';
import type { Listeners } from '../http/listeners.service.js';
import { Nats } from '../nats/nats.client.js';
import { createLogger } from '../service/logger.provider.js';
import { Metrics } from '../service/metrics.service.js';
import { Readiness } from '../service/readiness.service.js';
import type { Runtime } from '../service/runtime.provider.js';
import { Connections } from './connections.service.js';
import { DenylistFeed } from './denylist-feed.client.js';

const INSTANCE = 'telemetry-00000001';
let nats: TestNats;
let writer: NatsConnection;
let bucket: KV;
let list: Denylist;
let generation = 0;

beforeAll(async () => {
  nats = await startNats();
});
afterAll(async () => {
  await nats?.stop();
});

beforeEach(async () => {
  writer = await connect({
    servers: nats.url,
    user: 'revocation',
    pass: nats.password,
    inboxPrefix: '_INBOX.revocation',
    reconnectTimeWait: 100,
    maxReconnectAttempts: -1,
  });
  bucket = await new Kvm(writer).open(DENYLIST_BUCKET.name, { bindOnly: true });
  for (const kind of ['device', 'certificate']) {
    for (const name of ['device-a', 'device-b', 'device-c']) await bucket.purge(denylistKey(kind as 'device', name));
  }
  list = new Denylist();
  generation += 1;
});
const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
  await writer.close();
});

function entry(value: string, sequence: number, more: Partial<DenylistEntry> = {}): DenylistEntry {
  return { kind: 'device', value, mode: 'deny', reason: 'test', sequence, ...more };
}

async function put(record: DenylistEntry): Promise<void> {
  list.apply(record);
  await bucket.put(denylistKey(record.kind, record.value), JSON.stringify(record));
}

function beat(more: object = {}): Promise<number> {
  const { sequence, count, digest } = list;
  return bucket.put(DENYLIST_HEARTBEAT_KEY, JSON.stringify({ generation, sequence, count, digest, ...more }));
}

async function startFeed() {
  const connection = await connect({
    servers: nats.url,
    user: 'telemetry',
    pass: nats.password,
    inboxPrefix: '_INBOX.telemetry',
    reconnectTimeWait: 100,
    maxReconnectAttempts: -1,
  });
  const logger = createLogger('telemetry', INSTANCE as never, 'fatal');
  const runtime = {
    service: 'telemetry',
    instance: INSTANCE,
    config: {
      trustDomain: TRUST_DOMAIN,
      nats: { url: nats.url, user: 'telemetry', passwordFile: nats.passwordFile },
      revocation: { controlStaleMs: 5000, staleMs: 60_000 },
    },
    logger,
  } as unknown as Runtime;
  const metrics = new Metrics();
  const connections = new Connections({ events: new EventEmitter() } as unknown as Listeners, runtime, metrics);
  const client = new Nats(connection, runtime, logger);
  const feed = new DenylistFeed(client, connections, runtime, logger, new Readiness(), metrics);
  feed.onApplicationBootstrap();
  open.push(async () => {
    feed.onApplicationShutdown();
    await connection.close();
  });
  return { feed, connection };
}

async function until(condition: () => boolean, ms = 20_000): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function eventually(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await work();
      return;
    } catch (error) {
      if (attempt === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

describe('the denylist feed', () => {
  it('is stale until a live heartbeat has proven what it read', async () => {
    await put(entry('device-a', 1));
    await beat();
    const { feed } = await startFeed();
    await until(() => feed.match({ deviceId: 'device-a' }) !== undefined);
    expect(feed.freshness()).toBe('stale');
    await until(() => feed.sequence === 1);
    await beat();
    await until(() => feed.freshness() === 'fresh');
    expect(feed.match({ deviceId: 'device-b' })).toBeUndefined();
  });

  it('enforces each new entry and says so', async () => {
    await beat();
    const { feed } = await startFeed();
    const acks: { sequence: number }[] = [];
    writer.subscribe(`${denylistEnforced.subject}.*`, {
      callback: (_error, msg) => {
        acks.push(msg.json<{ sequence: number }>());
      },
    });
    await writer.flush();
    await until(() => acks.length > 0);
    for (let sequence = 1; sequence <= 20; sequence += 1) {
      await put(entry('device-a', sequence, { mode: sequence % 2 === 0 ? 'recovery' : 'deny' }));
      await beat();
      await until(() => acks.some((ack) => ack.sequence === sequence));
    }
    expect(feed.sequence).toBe(20);
  });

  it('lifts an entry by its tombstone, and not because its record is gone', async () => {
    await put(entry('device-a', 1));
    await put(entry('device-b', 2));
    const { feed } = await startFeed();
    await until(() => feed.match({ deviceId: 'device-b' }) !== undefined);
    await bucket.delete(denylistKey('device', 'device-a'));
    await put(entry('device-b', 3, { removed: true }));
    await until(() => feed.match({ deviceId: 'device-b' }) === undefined);
    expect(feed.match({ deviceId: 'device-a' })).toMatchObject({ kind: 'device' });
  });

  it('fails closed for control actions at a digest that differs, reads everything again, keeps the old entries meanwhile', async () => {
    await put(entry('device-a', 1));
    await beat();
    const { feed } = await startFeed();
    await until(() => feed.sequence === 1);
    await beat();
    await until(() => feed.freshness() === 'fresh');
    await beat({ digest: 'f'.repeat(64) });
    await until(() => feed.freshness() === 'control_stale');
    expect(feed.match({ deviceId: 'device-a' })).toBeDefined();
    await new Promise((resolve) => setTimeout(resolve, 400));
    await beat();
    await until(() => feed.freshness() === 'fresh');
    expect(feed.match({ deviceId: 'device-a' })).toBeDefined();
  });

  it('takes a new generation whole, with sequences that start over', async () => {
    await put(entry('device-a', 900));
    await beat();
    const { feed } = await startFeed();
    await until(() => feed.sequence === 900);
    await beat();
    await until(() => feed.freshness() === 'fresh');
    generation += 1;
    list = new Denylist();
    await bucket.purge(denylistKey('device', 'device-a'));
    await put(entry('device-b', 1));
    await beat();
    const beating = setInterval(() => void beat(), 200);
    await until(() => feed.sequence === 1 && feed.freshness() === 'fresh');
    clearInterval(beating);
    expect(feed.match({ deviceId: 'device-a' })).toBeUndefined();
    expect(feed.match({ deviceId: 'device-b' })).toBeDefined();
  });

  it('keeps its list while NATS is away, and reads everything again when it is back', async () => {
    await put(entry('device-a', 1));
    await beat();
    const { feed } = await startFeed();
    await until(() => feed.sequence === 1);
    await beat();
    await until(() => feed.freshness() === 'fresh');
    await nats.kill();
    expect(feed.match({ deviceId: 'device-a' })).toBeDefined();
    const before = feed.ageMs();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(feed.ageMs()).toBeGreaterThan(before + 250);
    await nats.restart();
    await eventually(() => put(entry('device-c', 2)));
    const beating = setInterval(() => void beat().catch(() => undefined), 200);
    await until(() => feed.match({ deviceId: 'device-c' }) !== undefined && feed.ageMs() < 1000, 15_000);
    clearInterval(beating);
    expect(feed.match({ deviceId: 'device-a' })).toBeDefined();
    expect(feed.sequence).toBe(2);
  });

  it('opens another connection where its own was closed for good', async () => {
    await beat();
    const { feed } = await startFeed();
    await until(() => feed.isProven);
    const { reader } = feed as unknown as { reader: Nats };
    await reader.connection.close();
    await put(entry('device-a', 1));
    const beating = setInterval(() => void beat(), 200);
    await until(() => feed.match({ deviceId: 'device-a' }) !== undefined && feed.freshness() === 'fresh');
    clearInterval(beating);
  });

  it('sets a record aside that lies about its key', async () => {
    const { feed } = await startFeed();
    await bucket.put(denylistKey('device', 'device-a'), JSON.stringify(entry('device-b', 1)));
    await bucket.put(denylistKey('device', 'device-c'), 'not json');
    await beat();
    await beat();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(feed.match({ deviceId: 'device-b' })).toBeUndefined();
  });
});
