import { hash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Kvm } from '@nats-io/kv';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import {
  DENYLIST_BUCKET,
  DENYLIST_MANIFEST_KEY,
  DENYLIST_SNAPSHOT_BUCKET,
  DenylistManifest,
  denylistKey,
} from '@outrider/contracts';
import { DenylistFeed, JwksKeys } from '@outrider/platform/admission';
import { Listeners } from '@outrider/platform/http';
import { Database } from '@outrider/platform/postgres';
import { Metrics } from '@outrider/platform/service';
import type pg from 'pg';
import { type Suite, startSuite, until } from '../suite.fixture.js';
import type { Claim } from './claim.js';
import { type Urgency } from './denylist.repository.js';
import { DenylistService } from './denylist.service.js';

const MANY = 6000;
const PATIENT_MS = 60_000;
let suite: Suite;
let admin: pg.Client;
let replica: NestFastifyApplication | undefined;

beforeAll(async () => {
  suite = await startSuite();
  admin = await suite.database.admin();
}, 60_000);
afterAll(async () => {
  await admin?.end();
  await suite?.stop();
});
afterEach(async () => {
  await replica?.close();
  replica = undefined;
});

const deviceClaim = (device: string): Claim => ({ kind: 'device', value: device, mode: 'deny', reason: 'test' });
const thumbprint = (n: number) => hash('sha256', `${n}`, 'base64url');

/** As a job of a bulk revocation claims them. */
async function claimMany(from: number, count: number): Promise<void> {
  const claims = Array.from(
    { length: count },
    (_, n): Claim => ({ ...deviceClaim(''), kind: 'certificate', value: thumbprint(from + n) }),
  );
  await suite.app
    .get(Database)
    .transaction((tx) => suite.app.get(DenylistService).claim(tx, 'revoke', claims, new Date(), { bulk: true }));
}

async function claimOne(device: string, urgency: Urgency = {}): Promise<number> {
  const { sequence } = await suite.app
    .get(Database)
    .transaction((tx) =>
      suite.app.get(DenylistService).claim(tx, 'revoke', [deviceClaim(device)], new Date(), urgency),
    );
  return sequence;
}

async function manifest(): Promise<DenylistManifest | undefined> {
  const connection = await suite.nats.connectAs('telemetry');
  const kv = await new Kvm(connection).open(DENYLIST_SNAPSHOT_BUCKET.name, { bindOnly: true });
  const record = await kv.get(DENYLIST_MANIFEST_KEY);
  await connection.close();
  return record ? DenylistManifest.parse(record.json()) : undefined;
}

async function revisionOf(key: string): Promise<number> {
  const connection = await suite.nats.connectAs('telemetry');
  const kv = await new Kvm(connection).open(DENYLIST_BUCKET.name, { bindOnly: true });
  const record = await kv.get(key);
  await connection.close();
  return record?.revision ?? 0;
}

/** Another instance that starts now; how it came by its list, and the list. */
async function start() {
  replica = await suite.startApp('revocation-00000002');
  const feed = replica.get(DenylistFeed);
  await until(() => feed.freshness() === 'fresh' && feed.proven !== undefined, PATIENT_MS);
  const of = async (name: string) =>
    (await replica?.get(Metrics).registry.getSingleMetric(name)?.get())?.values[0]?.value;
  return {
    feed,
    snapshots: await of('outrider_denylist_snapshots_total'),
    reads: await of('outrider_denylist_resyncs_total'),
  };
}

const feed = () => suite.app.get(DenylistFeed);
const fresh = () => until(() => feed().freshness() === 'fresh' && feed().proven !== undefined, PATIENT_MS);

describe('the snapshot of the denylist', () => {
  beforeEach(fresh);

  it('is written once the list is of some size, and an instance that starts reads it and the changes since', async () => {
    expect(await manifest()).toBeUndefined();
    await claimMany(0, MANY);
    await until(async () => (await manifest()) !== undefined, PATIENT_MS);
    await claimMany(MANY, 10);
    await until(() => feed().match({ thumbprint: thumbprint(MANY + 9) }) !== undefined, PATIENT_MS);
    const { feed: read, snapshots, reads } = await start();
    expect({ snapshots, reads }).toEqual({ snapshots: 1, reads: 1 });
    expect(read.proven?.list.count).toBe(MANY + 10);
    expect(read.proven?.list.digest).toBe(feed().proven?.list.digest);
    for (const n of [0, MANY - 1, MANY, MANY + 9]) expect(read.match({ thumbprint: thumbprint(n) })).toBeDefined();
    expect(read.match({ thumbprint: thumbprint(MANY + 10) })).toBeUndefined();
  }, 120_000);

  it('is passed over where a chunk is not the one that was written: the bucket itself is read', async () => {
    const connection = await suite.nats.connectAs('revocation');
    const kv = await new Kvm(connection).open(DENYLIST_SNAPSHOT_BUCKET.name, { bindOnly: true });
    const key = (await manifest())?.chunks[1]?.key ?? '';
    const whole = (await kv.get(key))?.value ?? new Uint8Array();
    const spoiled = Buffer.from(whole);
    spoiled[spoiled.length - 1]! ^= 1;
    await kv.put(key, spoiled);
    const { feed: read, snapshots } = await start();
    expect(snapshots).toBe(0);
    expect(read.proven?.list.count).toBe(MANY + 10);
    await kv.put(key, whole);
    await connection.close();
  }, 120_000);

  it('that says too much, or another generation, is not believed: what is proven is what lies in the bucket', async () => {
    const connection = await suite.nats.connectAs('revocation');
    const kv = await new Kvm(connection).open(DENYLIST_SNAPSHOT_BUCKET.name, { bindOnly: true });
    const good = (await manifest()) as DenylistManifest;
    const put = (changed: object) => kv.put(DENYLIST_MANIFEST_KEY, JSON.stringify({ ...good, ...changed }));
    await put({ generation: good.generation - 1 });
    expect((await start()).snapshots).toBe(0);
    await replica?.close();
    // A chunk is missing, and nothing of it is in the changes since: the heartbeat tells.
    await put({ chunks: good.chunks.slice(1) });
    const { feed: read, reads } = await start();
    expect(reads).toBe(2);
    expect(read.proven?.list.count).toBe(MANY + 10);
    await put({});
    await connection.close();
  }, 120_000);

  it('lets a writer take over without reading all of it twice, and write on in the same generation', async () => {
    const before = feed().proven;
    await suite.app.close();
    suite.app = await suite.startApp();
    await suite.app.get(Listeners).open();
    await until(() => suite.app.get(JwksKeys).get('test') !== undefined);
    await claimMany(MANY + 10, 5);
    await until(() => feed().match({ thumbprint: thumbprint(MANY + 14) }) !== undefined, PATIENT_MS);
    await fresh();
    expect(feed().proven?.generation).toBe(before?.generation);
    expect(feed().proven?.list.count).toBe(MANY + 15);
  }, 120_000);

  it('does not take the table for the bucket because their numbers agree: an entry changed there is a new generation', async () => {
    const before = feed().proven?.generation ?? 0;
    await suite.app.close();
    await admin.query(`UPDATE denylist_entries SET value = $1 WHERE value = $2`, [
      thumbprint(1_000_000),
      thumbprint(3),
    ]);
    suite.app = await suite.startApp();
    await suite.app.get(Listeners).open();
    await until(() => (feed().proven?.generation ?? 0) > before && feed().freshness() === 'fresh', PATIENT_MS);
    expect(feed().match({ thumbprint: thumbprint(1_000_000) })).toBeDefined();
    // What only the bucket knew of stays denied, too.
    expect(feed().match({ thumbprint: thumbprint(3) })).toBeDefined();
  }, 120_000);
});

describe('behind a flood of bulk entries', () => {
  it('an entry that a single revocation asks for again is its own: what a bulk job claimed may still wait', async () => {
    const bulk = await claimOne('device-both', { bulk: true });
    expect(await claimOne('device-both', { bulk: true })).toBe(bulk);
    const urgent = await claimOne('device-both');
    expect(urgent).toBeGreaterThan(bulk);
    expect(await claimOne('device-both')).toBe(urgent);
    expect(await claimOne('device-both', { bulk: true })).toBe(urgent);
  });

  it('a single revocation does not wait for its end', async () => {
    await fresh();
    await suite.nats.kill();
    await claimMany(100_000, 3000);
    await claimOne('device-urgent');
    await suite.nats.restart();
    const last = thumbprint(102_999);
    await until(() => feed().match({ thumbprint: last }) !== undefined, PATIENT_MS);
    // By the numbers of the bucket: a reader that began anew meanwhile saw no order.
    const urgent = await revisionOf(denylistKey('device', 'device-urgent'));
    const bulk = await Promise.all(
      [1000, 2999].map((n) => revisionOf(denylistKey('certificate', thumbprint(100_000 + n)))),
    );
    // At most the round that was under way when it was seen goes before it.
    expect(urgent).toBeGreaterThan(0);
    for (const revision of bulk) expect(revision).toBeGreaterThan(urgent);
    await fresh();
  }, 120_000);
});
