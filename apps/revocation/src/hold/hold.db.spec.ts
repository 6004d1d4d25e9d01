import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { certificateReleased, denylistKey, deviceReleased } from '@outrider/contracts';
import { SerialNumber } from '@outrider/ids';
import { crlShard, parseCrl } from '@outrider/x509';
import type pg from 'pg';
import { type Revoking, startRevoking } from '../revoke/revoke.fixture.js';
import { type Suite, until } from '../suite.fixture.js';

let ground: Revoking;
let suite: Suite;
let admin: pg.Client;
let enrolled: Revoking['enrolled'];
let lastOf: Revoking['lastOf'];

beforeAll(async () => {
  ground = await startRevoking();
  ({ suite, admin, enrolled, lastOf } = ground);
}, 60_000);
afterAll(() => ground?.stop());

const hold = (names: object) => suite.post('/revoke?wait=enforced', { ...names, reason: 'certificate-hold' });
const release = (names: object) => suite.post('/v1/revocations/release?wait=enforced', names);
const standing = async (serial: string) => {
  const sql = 'SELECT reason, since_id FROM revoked_certificates WHERE serial_number = $1';
  return (await admin.query(sql, [serial])).rows[0];
};
const changes = async (serial: string) => {
  const sql = 'SELECT id, change, reason FROM status_changes WHERE serial_number = $1 ORDER BY id';
  return (await admin.query(sql, [serial])).rows;
};
const listed = async (shard: number) => {
  const response = await fetch(`${suite.httpUrl}/crl/${shard}.crl`);
  const der = new Uint8Array(await response.arrayBuffer());
  return response.status === 200 ? parseCrl(der).revoked : new Map<string, { reason?: string }>();
};
const event = async (subject: string) => {
  const { jetstreamManager } = await import('@nats-io/jetstream');
  const client = await suite.nats.connectAs('provisioner');
  const manager = await jetstreamManager(client);
  let payload: Record<string, unknown> | undefined;
  await until(async () => {
    payload = (await manager.streams.getMessage('EVENTS', { last_by_subj: subject }))?.json();
    return payload !== undefined;
  });
  await client.close();
  return payload;
};

describe('a hold and its release', () => {
  it('takes a certificate out everywhere and gives it back everywhere', async () => {
    const { ref } = await enrolled('hold-one');
    const serial = ref.serialNumber;
    expect((await hold({ serial })).body).toMatchObject({ reason: 'certificateHold', pending: [] });
    expect(lastOf(denylistKey('certificate', ref.thumbprint))).toMatchObject({
      mode: 'deny',
      reason: 'certificateHold',
    });
    expect(await standing(serial)).toMatchObject({ reason: 'certificateHold' });
    // A compromise in the same shard has the list made at once, the hold on it.
    const shard = crlShard(ref.serialNumber, 2);
    const other = Array.from({ length: 64 }, (_, n) => SerialNumber.parse(`${n + 16}c0ffee${n + 16}`));
    const compromised = other.find((one) => crlShard(one, 2) === shard);
    await suite.post('/revoke', { serial: compromised, reason: 'keyCompromise', force: true });
    await until(async () => (await listed(shard)).get(ref.serialNumber)?.reason === 'certificateHold');
    const { status, body } = await release({ thumbprint: ref.thumbprint, note: 'found again' });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      released: [{ serial, thumbprint: ref.thumbprint, device_id: 'hold-one' }],
      still_denied: [],
      pending: [],
    });
    for (const key of [
      denylistKey('certificate', ref.thumbprint),
      denylistKey('serial', `${ref.issuerKeyId}-${serial}`),
    ])
      expect(lastOf(key)).toMatchObject({ removed: true });
    expect(await standing(serial)).toBeUndefined();
    expect(await changes(serial)).toMatchObject([
      { change: 'revoked', reason: 'certificateHold' },
      { change: 'released', reason: 'certificateHold' },
    ]);
    await until(async () => !(await listed(shard)).has(ref.serialNumber));
    expect(await event(certificateReleased.subject)).toMatchObject({ ref: { thumbprint: ref.thumbprint } });
    expect(await release({ serial })).toMatchObject({ status: 409, body: { code: 'revocation.not_held' } });
  });

  it('can be held again, made graver, and is then released no more, whichever is asked first', async () => {
    const { ref } = await enrolled('hold-graver');
    const serial = ref.serialNumber;
    await hold({ serial });
    await release({ serial });
    await hold({ serial });
    expect((await suite.post('/revoke', { serial, reason: 'superseded' })).body).toMatchObject({
      reason: 'superseded',
    });
    expect((await hold({ serial })).body).toMatchObject({ reason: 'superseded' });
    expect(await release({ serial })).toMatchObject({
      status: 409,
      body: { code: 'revocation.not_held', detail: expect.stringContaining('superseded') },
    });
    expect(await standing(serial)).toMatchObject({ reason: 'superseded' });
    const rows = await changes(serial);
    expect(rows.map(({ change, reason }) => `${change} ${reason}`)).toEqual([
      'revoked certificateHold',
      'released certificateHold',
      'revoked certificateHold',
      'revoked superseded',
    ]);
    expect((await standing(serial)).since_id).toBe(rows.at(-1).id);
    expect(lastOf(denylistKey('certificate', ref.thumbprint))).toMatchObject({ reason: 'superseded' });
  });

  it('never leaves a compromised certificate in service, however releases and revocations race', async () => {
    const parties = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => enrolled(`hold-race-${n}`)));
    for (const { ref } of parties) await hold({ serial: ref.serialNumber });
    const results = await Promise.all(
      parties.flatMap(({ ref }, n) => {
        const names = { serial: ref.serialNumber };
        const both = [() => release(names), () => suite.post('/revoke', { ...names, reason: 'keyCompromise' })];
        return (n % 2 ? both : both.reverse()).map((ask) => ask());
      }),
    );
    for (const { status } of results) expect([200, 409]).toContain(status);
    for (const { ref } of parties) {
      expect(await standing(ref.serialNumber)).toMatchObject({ reason: 'keyCompromise' });
      const sql = `SELECT 1 FROM denylist_entries WHERE NOT removed AND value = ANY($1)`;
      const named = [ref.thumbprint, `${ref.issuerKeyId}-${ref.serialNumber}`, ref.keyThumbprint, ref.deviceId];
      expect((await admin.query(sql, [named])).rowCount).toBe(4);
    }
  });

  it('is as old as its turn, by the clock of the database, however long it waited', async () => {
    const { ref } = await enrolled('hold-turn');
    const names = { serial: ref.serialNumber };
    const waiting = async () => {
      const sql = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        AND query LIKE '%denylist_state FOR UPDATE%'`;
      return ((await admin.query(sql)).rowCount ?? 0) > 0;
    };
    /** Something else has the lock until it waits. @returns when it got the lock at the earliest, in ms */
    const behind = async (act: () => Promise<{ status: number }>) => {
      const other = await suite.database.admin();
      try {
        await other.query('BEGIN');
        await other.query('SELECT 1 FROM denylist_state FOR UPDATE');
        const answer = act();
        await until(waiting);
        const { rows } = await other.query('SELECT clock_timestamp() AS now');
        await other.query('COMMIT');
        expect((await answer).status).toBe(200);
        return rows[0].now.getTime();
      } finally {
        await other.end();
      }
    };
    const at = async (column: string, table: string) => {
      const sql = `SELECT max(${column}) AS at FROM ${table} WHERE serial_number = $1`;
      return (await admin.query(sql, [ref.serialNumber])).rows[0].at.getTime();
    };
    expect(
      await behind(() => hold(names)).then(async (free) => (await at('revoked_at', 'revocations')) - free),
    ).toBeGreaterThanOrEqual(0);
    expect(
      await behind(() => release(names)).then(async (free) => (await at('released_at', 'hold_releases')) - free),
    ).toBeGreaterThanOrEqual(0);
  });

  it('of a device gives back the device and what was held of it, and leaves what was revoked for good', async () => {
    const [kept, gone] = [await enrolled('hold-device'), await enrolled('hold-device')];
    await suite.post('/revoke', { serial: gone.ref.serialNumber, reason: 'cessationOfOperation' });
    await hold({ device_id: 'hold-device' });
    expect(lastOf(denylistKey('device', 'hold-device'))).toMatchObject({ reason: 'certificateHold' });
    const late = await enrolled('hold-device');
    await until(() => lastOf(denylistKey('certificate', late.ref.thumbprint)) !== undefined);
    const one = await release({ serial: kept.ref.serialNumber });
    expect(one.body.still_denied).toEqual([{ kind: 'device', value: 'hold-device', reason: 'certificateHold' }]);
    const { body } = await release({ device_id: 'hold-device' });
    expect(body.released.map(({ serial }: { serial: string }) => serial)).toEqual([late.ref.serialNumber]);
    expect(lastOf(denylistKey('device', 'hold-device'))).toMatchObject({ removed: true });
    expect(lastOf(denylistKey('certificate', gone.ref.thumbprint))).not.toHaveProperty('removed');
    expect(await event(`${deviceReleased.subject}.hold-device`)).toMatchObject({ deviceId: 'hold-device' });
    const next = await enrolled('hold-device');
    expect(await standing(next.ref.serialNumber)).toBeUndefined();
  });

  it('lifts no block of the same device', async () => {
    await enrolled('hold-blocked');
    await hold({ device_id: 'hold-blocked' });
    const gateway = await suite.nats.connectAs('gateway');
    const entries = [{ kind: 'device', value: 'hold-blocked', mode: 'recovery', reason: 'blocked' }];
    await gateway.request('revocation.denylist.add.v1', JSON.stringify({ entries, waitMs: 0 }));
    await gateway.close();
    const { body } = await release({ device_id: 'hold-blocked' });
    expect(body.still_denied).toEqual([{ kind: 'device', value: 'hold-blocked', reason: 'blocked' }]);
    expect(lastOf(denylistKey('device', 'hold-blocked'))).toMatchObject({ mode: 'recovery', reason: 'blocked' });
  });

  it('works by key, with what comes to light between, and for what force named', async () => {
    const { ref } = await enrolled('hold-key');
    await hold({ key: ref.keyThumbprint });
    expect(lastOf(denylistKey('key', ref.keyThumbprint))).toMatchObject({ reason: 'certificateHold' });
    expect(await standing(ref.serialNumber)).toMatchObject({ reason: 'certificateHold' });
    await release({ key: ref.keyThumbprint });
    expect(lastOf(denylistKey('key', ref.keyThumbprint))).toMatchObject({ removed: true });
    expect(await standing(ref.serialNumber)).toBeUndefined();
    const unheard = { serial: '0ddba11f', reason: 'certificateHold', force: true };
    expect((await suite.post('/revoke?wait=enforced', unheard)).status).toBe(200);
    expect(await standing('0ddba11f')).toBeDefined();
    expect(await release({ serial: '0ddba11f' })).toMatchObject({
      status: 200,
      body: { released: [{ serial: '0ddba11f' }] },
    });
    expect(await standing('0ddba11f')).toBeUndefined();
  });

  it('says what it would do and does nothing, where that is asked', async () => {
    const { ref } = await enrolled('hold-dry');
    const serial = ref.serialNumber;
    const dry = await suite.post('/revoke', { device_id: 'hold-dry', reason: 'certificateHold', dry_run: true });
    expect(dry.body).toMatchObject({
      revoked: [{ serial }],
      dry_run: { certificates: 1, fresh: 1, devices: 1, keys: 0 },
    });
    expect(await standing(serial)).toBeUndefined();
    await hold({ serial });
    const kept = await release({ serial, dry_run: true });
    expect(kept.body).toMatchObject({ released: [{ serial }], dry_run: true });
    expect(await standing(serial)).toBeDefined();
  });

  it('needs the right to revoke, and a name', async () => {
    const refused = await suite.post('/v1/revocations/release', { device_id: 'hold-one' }, { scope: 'device:read' });
    expect(refused.status).toBe(403);
    expect(await release({})).toMatchObject({ status: 400, body: { code: 'revocation.target_missing' } });
    expect(await release({ serial: '0badc0de' })).toMatchObject({ status: 409, body: { code: 'revocation.not_held' } });
    expect(await release({ device_id: 'hold-none', key: 'k'.repeat(43) })).toMatchObject({ status: 409 });
  });
});

describe('the releases table', () => {
  it('cannot be changed, nor can what tells of changes', async () => {
    for (const table of ['hold_releases', 'status_changes', 'key_revocations'])
      for (const sql of [`DELETE FROM ${table}`, `TRUNCATE ${table}`])
        await expect(admin.query(sql)).rejects.toMatchObject({ code: '42501' });
  });
});
