import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { certificateEnrolled, certificateIssued, deviceDenied, deviceRecovered } from '@outrider/contracts';
import type pg from 'pg';
import { publishEvent, type Suite, startSuite, until, vehicle } from '../suite.fixture.js';

let suite: Suite;
let ca: NatsConnection;
let provisioning: NatsConnection;
let admin: pg.Client;

beforeAll(async () => {
  suite = await startSuite();
  [ca, provisioning] = (await Promise.all(['fleet-ca', 'provisioning'].map((user) => suite.nats.connectAs(user)))) as [
    NatsConnection,
    NatsConnection,
  ];
  admin = await suite.database.admin();
}, 60_000);

afterAll(async () => {
  await Promise.all([ca, provisioning].map((connection) => connection?.close()));
  await admin?.end();
  await suite?.stop();
});

async function enrolled(name: string, madeAt = new Date()) {
  const party = await vehicle(suite.fleet, name);
  const { ref } = party;
  const issued = { profile: 'vehicle', requestedBy: 'provisioning', ref, issuedAt: madeAt.toISOString() };
  await publishEvent(ca, certificateIssued, issued);
  await publishEvent(provisioning, certificateEnrolled, { ref, enrolledAt: madeAt.toISOString() }, name);
  const known = 'SELECT 1 FROM certificates WHERE thumbprint = $1';
  await until(async () => (await admin.query(known, [ref.thumbprint])).rowCount === 1);
  return party;
}

async function entry(kind: string, value: string): Promise<{ mode: string; reason: string } | undefined> {
  const sql = 'SELECT mode, reason FROM denylist_entries WHERE kind = $1 AND value = $2 AND NOT removed';
  return (await admin.query(sql, [kind, value])).rows[0];
}

async function lastRevokedAt(name: string): Promise<Date> {
  const sql = 'SELECT max(revoked_at) AS at FROM device_revocations WHERE device_id = $1';
  return (await admin.query(sql, [name])).rows[0].at;
}

/** Published, and taken in. */
async function recovered(name: string, revokedUpTo?: Date, orderId: string = randomUUID()): Promise<string> {
  const who = { reason: 'new key fitted', requestedBy: 'op:1', approvedBy: 'op:2', at: new Date().toISOString() };
  const upTo = revokedUpTo ? { revokedUpTo: revokedUpTo.toISOString() } : {};
  const event = { deviceId: name, orderId, kind: 'recovery', ...upTo, ...who };
  await publishEvent(provisioning, deviceRecovered, event, name);
  const known = 'SELECT 1 FROM device_recoveries WHERE order_id = $1';
  await until(async () => (await admin.query(known, [orderId])).rowCount === 1);
  return orderId;
}

async function denied(name: string, version: number, word: { mode?: 'deny' | 'recovery'; reason?: string } = {}) {
  await publishEvent(
    provisioning,
    deviceDenied,
    { deviceId: name, version, at: new Date().toISOString(), ...word },
    name,
  );
}

const compromise = (name: string) => suite.post('/revoke', { device_id: name, reason: 'keyCompromise' });

describe('an approved recovery order', () => {
  it('frees the device id; key and certificate stay denied for ever', async () => {
    const { ref } = await enrolled('back-one');
    await compromise('back-one');
    expect(await entry('device', 'back-one')).toMatchObject({ mode: 'deny', reason: 'keyCompromise' });
    await recovered('back-one', await lastRevokedAt('back-one'));
    expect(await entry('device', 'back-one')).toBeUndefined();
    expect(await entry('key', ref.keyThumbprint)).toMatchObject({ mode: 'deny' });
    expect(await entry('certificate', ref.thumbprint)).toMatchObject({ mode: 'deny' });
    const { ref: next } = await enrolled('back-one');
    expect(await entry('certificate', next.thumbprint)).toBeUndefined();
  });

  it('lets no certificate through that was made before it', async () => {
    await enrolled('back-late');
    await compromise('back-late');
    const before = new Date();
    await recovered('back-late', await lastRevokedAt('back-late'));
    const { ref } = await enrolled('back-late', before);
    expect(await entry('certificate', ref.thumbprint)).toMatchObject({ mode: 'deny', reason: 'keyCompromise' });
  });

  it('gives way to a later revocation, whichever is heard first', async () => {
    await enrolled('back-again');
    await compromise('back-again');
    const first = await lastRevokedAt('back-again');
    const order = await recovered('back-again', first);
    expect((await compromise('back-again')).body).toMatchObject({ reason: 'keyCompromise' });
    expect(await entry('device', 'back-again')).toMatchObject({ mode: 'deny' });
    expect((await lastRevokedAt('back-again')).getTime()).toBeGreaterThan(first.getTime());
    await recovered('back-again', first, order);
    await recovered('back-again', first);
    expect(await entry('device', 'back-again')).toMatchObject({ mode: 'deny' });
  });

  it('cannot be made undone or edited by the service itself', async () => {
    await expect(admin.query('DELETE FROM device_recoveries')).rejects.toThrow();
  });
});

describe("the registry's own word", () => {
  it('stands by its version', async () => {
    await denied('word-one', 3, { mode: 'recovery', reason: 'theft' });
    await until(async () => (await entry('device', 'word-one'))?.mode === 'recovery');
    await denied('word-one', 5);
    await until(async () => (await entry('device', 'word-one')) === undefined);
    // Late, and twice: heard, and without effect.
    await denied('word-one', 4, { mode: 'deny', reason: 'retired' });
    await denied('word-two', 1, { mode: 'deny', reason: 'retired' });
    await until(async () => (await entry('device', 'word-two'))?.mode === 'deny');
    expect(await entry('device', 'word-one')).toBeUndefined();
  });

  it('and an older order takes nothing from it', async () => {
    await denied('word-three', 7, { mode: 'deny', reason: 'retired' });
    await until(async () => (await entry('device', 'word-three'))?.mode === 'deny');
    await recovered('word-three');
    expect(await entry('device', 'word-three')).toMatchObject({ mode: 'deny', reason: 'retired' });
  });
});
