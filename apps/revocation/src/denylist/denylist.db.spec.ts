import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { Denylist, type DenylistEntry } from '@outrider/admission';
import { DENYLIST_HEARTBEAT_KEY, type DenylistHeartbeat, denylistKey } from '@outrider/contracts';
import { JwksKeys } from '@outrider/platform/admission';
import { Listeners } from '@outrider/platform/http';
import type pg from 'pg';
import { type Suite, startInstance, startSuite, until } from '../suite.fixture.js';
import { DenylistPurge } from './denylist-purge.service.js';

let suite: Suite;
let admin: pg.Client;

beforeAll(async () => {
  suite = await startSuite();
  admin = await suite.database.admin();
}, 60_000);
afterAll(async () => {
  await admin?.end();
  await suite?.stop();
});

/** The bucket as a service that has just started reads it. */
async function bucket() {
  const connection = await suite.nats.connectAs('telemetry');
  const kv = await new Kvm(connection).open('DENYLIST', { bindOnly: true });
  const list = new Denylist();
  let heartbeat: DenylistHeartbeat | undefined;
  const watch = await kv.watch();
  const cut = setTimeout(() => watch.stop(), 1000);
  for await (const { key, value, operation, delta } of watch) {
    if (operation === 'PUT' && key === DENYLIST_HEARTBEAT_KEY) heartbeat = JSON.parse(Buffer.from(value).toString());
    else if (operation === 'PUT') list.apply(JSON.parse(Buffer.from(value).toString()) as DenylistEntry);
    if (delta === 0) break;
  }
  clearTimeout(cut);
  await connection.close();
  return { list, heartbeat };
}

/** Waits until the heartbeat speaks of exactly what lies in the bucket, and for more if asked. */
async function settled(also: (content: Awaited<ReturnType<typeof bucket>>) => boolean = () => true) {
  let content = await bucket();
  await until(async () => {
    content = await bucket();
    const { list, heartbeat } = content;
    return heartbeat?.count === list.count && heartbeat.digest === list.digest && also(content);
  }, 20_000);
  return { ...content, heartbeat: content.heartbeat as DenylistHeartbeat };
}

const deny = async (device: string) => {
  const { status, body } = await suite.post('/revoke', { device_id: device, force: true });
  expect(status).toBe(200);
  return body;
};
const isDenied = (list: Denylist, device: string) => list.match({ deviceId: device }, Date.now()) !== undefined;

async function restart(between: () => Promise<unknown> = async () => undefined): Promise<void> {
  await suite.app.close();
  await between();
  suite.app = await suite.startApp();
  await suite.app.get(Listeners).open();
  await until(() => suite.app.get(JwksKeys).get('test') !== undefined);
}

describe('the writer of the denylist bucket', () => {
  it('tells by its heartbeat exactly what it wrote', async () => {
    await deny('device-a');
    const { list, heartbeat } = await settled(({ list }) => isDenied(list, 'device-a'));
    expect(heartbeat.sequence).toBe(list.sequence);
    expect(heartbeat.count).toBe(1);
  });

  it('goes on with the same generation after a restart', async () => {
    const before = await settled();
    await restart();
    await deny('device-b');
    const after = await settled(({ list }) => isDenied(list, 'device-b'));
    expect(after.heartbeat.generation).toBe(before.heartbeat.generation);
    expect(after.heartbeat.sequence).toBeGreaterThan(before.heartbeat.sequence);
    expect(isDenied(after.list, 'device-a')).toBe(true);
  });

  it('does not un-revoke after a restored backup: the bucket knows', async () => {
    await admin.query(`CREATE TABLE backup_entries AS TABLE denylist_entries; CREATE TABLE backup_claims AS TABLE denylist_claims;
      CREATE TABLE backup_state AS TABLE denylist_state`);
    await deny('device-after-backup');
    const before = await settled(({ list }) => isDenied(list, 'device-after-backup'));
    await restart(() =>
      admin.query(`DELETE FROM denylist_entries; DELETE FROM denylist_claims;
        INSERT INTO denylist_entries SELECT * FROM backup_entries; INSERT INTO denylist_claims SELECT * FROM backup_claims;
        UPDATE denylist_state SET (generation, sequence) = (SELECT generation, sequence FROM backup_state)`),
    );
    const after = await settled(({ heartbeat }) => (heartbeat?.generation ?? 0) > before.heartbeat.generation);
    for (const device of ['device-a', 'device-b', 'device-after-backup'])
      expect(isDenied(after.list, device)).toBe(true);
    expect(after.heartbeat.sequence).toBeGreaterThan(before.heartbeat.sequence);
    const { rows } = await admin.query(
      `SELECT 1 FROM denylist_entries WHERE value = 'device-after-backup' AND NOT removed`,
    );
    expect(rows).toHaveLength(1);
  });

  it('refills a bucket that somebody emptied, at the start and while it runs, as a new generation', async () => {
    const empty = async () => {
      const connection = await suite.nats.connectAs('provisioner');
      await (await jetstreamManager(connection)).streams.purge('KV_DENYLIST');
      await connection.close();
    };
    const first = await settled();
    await restart(empty);
    const second = await settled(({ heartbeat }) => (heartbeat?.generation ?? 0) > first.heartbeat.generation);
    expect(second.list.count).toBe(first.list.count);
    await empty();
    const third = await settled(({ heartbeat }) => (heartbeat?.generation ?? 0) > second.heartbeat.generation);
    expect(third.list.count).toBe(first.list.count);
  }, 60_000);

  it('is one replica at a time: another takes over, and hears of what is committed elsewhere', async () => {
    const other = await suite.startApp('revocation-00000002');
    const writers = async () => {
      const { rows } = await admin.query(
        `SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND (classid::bigint << 32) | objid::bigint = hashtextextended('revocation.denylist_writer', 0)`,
      );
      return Number(rows[0].n);
    };
    await restart(() => until(async () => (await writers()) === 1, 20_000));
    // A writer that could not reach NATS lets go and takes the lock again: never are there two.
    await until(async () => (await writers()) === 1, 20_000);
    const watcher = await startInstance(suite.nats, 'telemetry', 'telemetry-00000009');
    for (let i = 0; i < 10; i++) {
      await deny(`device-replica-${i}`);
      const key = denylistKey('device', `device-replica-${i}`);
      await until(() => watcher.seen.some((record) => record.key === key), 20_000);
    }
    await watcher.stop();
    await other.close();
    await deny('device-c');
    await settled(({ list }) => isDenied(list, 'device-c'));
  }, 60_000);

  it('ends entries in time, and clears away what is left of them', async () => {
    const claim = {
      kind: 'token',
      value: 'jti-1',
      mode: 'deny',
      reason: 'ended',
      until: new Date(Date.now() + 500).toISOString(),
    };
    const token = await suite.nats.connectAs('token');
    await token.request('revocation.denylist.add.v1', JSON.stringify({ entries: [claim], waitMs: 0 }));
    await token.close();
    await settled(({ list }) => list.get('token', 'jti-1') !== undefined);
    const purge = suite.app.get(DenylistPurge);
    await purge.purge(new Date(Date.now() + 1000));
    await settled(({ list }) => list.get('token', 'jti-1') === undefined);
    await purge.purge(new Date(Date.now() + 2 * 3_600_000));
    const { rows } = await admin.query(`SELECT 1 FROM denylist_entries WHERE kind = 'token'`);
    expect(rows).toHaveLength(0);
    const before = await settled();
    await restart();
    expect((await settled()).heartbeat.generation).toBe(before.heartbeat.generation);
  });

  it('never fails closed: a revocation without NATS is committed, pending, and written when NATS is back', async () => {
    await suite.nats.kill();
    const body = await deny('device-a');
    expect(body).toMatchObject({ revoked: [], reason: 'unspecified' });
    const compromised = await suite.post('/revoke', { device_id: 'device-a', reason: 'keyCompromise' });
    expect(compromised.status).toBe(200);
    expect(compromised.body.reason).toBe('keyCompromise');
    await suite.nats.restart();
    const { list } = await settled(({ list }) => list.get('device', 'device-a')?.reason === 'keyCompromise');
    expect(isDenied(list, 'device-a')).toBe(true);
  }, 60_000);
});
