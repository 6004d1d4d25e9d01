import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deviceChanged } from '@outrider/contracts';
import { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { newDevice, RIGHTS, type Suite, startSuite, until } from '../command.fixture.js';
import { requestFingerprint } from '../send/send-command.js';
import { BatchRequest } from './batch.js';
import { Batches } from './batches.repository.js';
import { BatchesService } from './batches.service.js';

let suite: Suite;
let provisioning: Awaited<ReturnType<Suite['nats']['connectAs']>>;

beforeAll(async () => {
  suite = await startSuite();
  provisioning = await suite.nats.connectAs('provisioning');
}, 60_000);
afterAll(async () => {
  await provisioning?.close();
  await suite?.stop();
});

const SENDER = { roles: ['fleet-operator'], secondFactor: false, elevated: false };
const service = () => suite.app.get(BatchesService);
const batches = () => suite.app.get(Batches);
const requester = (by: string, scopes: readonly string[] = RIGHTS) => ({
  subject: by,
  attributes: SENDER,
  scopes,
  evidence: { token: `of ${by}` },
  until: new Date(Date.now() + 900_000),
});
const by = (who: string) => ({ by: who, reason: 'checked', evidence: { token: `of ${who}` }, now: new Date() });
const fleetOf = (n: number) => Array.from({ length: n }, newDevice);

function request(
  given: object,
  key = randomBytes(8).toString('hex'),
  who = `op:solo-${randomBytes(4).toString('hex')}`,
) {
  const body = BatchRequest.parse({ name: 'honk', ...given });
  const fingerprint = requestFingerprint('command-batches', Buffer.from(JSON.stringify(given)));
  return service().request(body, requester(who), { key, fingerprint });
}

async function settled(id: string, state: string) {
  await until(async () => (await batches().mustFind(id)).state === state, 20_000);
  return batches().counts(id);
}

function register(deviceId: DeviceId, parts: object): void {
  const device = {
    deviceId,
    state: 'active',
    grants: ['command:receive', 'command:critical'],
    attestation: 'none',
    labels: [],
    minEpoch: 0,
    version: 1,
    changedAt: new Date().toISOString(),
    ...parts,
  };
  provisioning.publish(`${deviceChanged.subject}.${deviceId}`, JSON.stringify(device));
}

const known = (n: number) =>
  until(async () => {
    const client = await suite.database.admin();
    const { rows } = await client.query(`SELECT 1 FROM command.devices WHERE labels <> '{}'`);
    await client.end();
    return rows.length >= n;
  }, 20_000);

describe('a list of vehicles', () => {
  it('gets a command each, and says of the others why not', async () => {
    const devices = [...fleetOf(3), DeviceId.parse('device-nogrant')];
    const { id, state, matched } = await request({ target: { devices: [...devices, devices[0]] } });
    expect({ state, matched }).toEqual({ state: 'running', matched: 4 });
    expect(await settled(id, 'done')).toEqual({ devices: { sent: 3, refused: 1 }, commands: { queued: 3 } });
    const shown = await batches().devices(id, '', 10);
    expect(shown.find(({ device_id }) => device_id === 'device-nogrant')).toMatchObject({
      state: 'refused',
      code: 'command.device_unavailable',
      detail: 'the device has no grant command:receive',
    });
    const offer = await suite.deliver(devices[0]!);
    expect(shown.find(({ device_id }) => device_id === devices[0])?.command_id).toBe(offer?.id);
  });

  it('is sent once by 20 parallel requests with one key, and not with another body', async () => {
    const devices = fleetOf(2);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => request({ target: { devices } }, 'batch-1', 'op:solo-1')),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect((await settled(answers[0]!.id, 'done')).commands).toEqual({ queued: 2 });
    await expect(request({ target: { devices: fleetOf(1) } }, 'batch-1', 'op:solo-1')).rejects.toMatchObject({
      code: 'command.idempotency_mismatch',
    });
  });

  it.each([
    ['more than a batch may have', () => ({ target: { devices: fleetOf(51) } }), 'command.batch_too_large'],
    ['nobody', () => ({ target: { query: { labels: ['nobody'] } } }), 'command.batch_empty'],
    ['an unknown command', () => ({ name: 'fly', target: { devices: fleetOf(1) } }), 'command.unknown_name'],
  ])('of %s is refused', async (_name, given, code) => {
    await expect(request(given())).rejects.toMatchObject({ code });
  });

  it('of a critical command needs the right to one', async () => {
    const body = BatchRequest.parse({ name: 'unlock', target: { devices: fleetOf(1) } });
    await expect(
      service().request(body, requester('op:1', ['command:send']), { key: 'k', fingerprint: 'f' }),
    ).rejects.toMatchObject({ code: 'auth.scope_insufficient' });
  });
});

it('a query means the vehicles in service with all of its labels, as the registry has them now', async () => {
  const [a, b, c, d] = fleetOf(4) as [DeviceId, DeviceId, DeviceId, DeviceId];
  register(a, { labels: ['north', 'vans'] });
  register(b, { labels: ['north'] });
  register(c, { labels: ['north', 'vans'], state: 'quarantined' });
  register(d, { labels: ['vans'] });
  register(d, { labels: ['vans', 'north'], version: 2 });
  await known(4);
  await until(async () => (await preview({ labels: ['north', 'vans'] })).matched === 2, 20_000);
  const { id } = await request({ target: { query: { labels: ['north', 'vans'] } } });
  await settled(id, 'done');
  expect((await batches().devices(id, '', 10)).map(({ device_id }) => device_id)).toEqual([a, d].toSorted());
});

const preview = (query: object) =>
  service().preview(BatchRequest.parse({ name: 'honk', target: { query } }), requester('op:1'), new Date());

it('a preview says what it would come to, and sends nothing', async () => {
  const devices = [...fleetOf(6), DeviceId.parse('device-nogrant')];
  const body = BatchRequest.parse({ name: 'honk', target: { devices } });
  expect(await service().preview(body, requester('op:1'), new Date())).toMatchObject({
    matched: 7,
    needs_approval: true,
    judged: 7,
    could_have_it: 6,
    refused: [{ code: 'command.device_unavailable', count: 1, devices: ['device-nogrant'] }],
  });
  expect(await suite.deliver(devices[0]!)).toBeUndefined();
});

describe('above the cap', () => {
  it('nothing goes out before somebody else agrees: neither who asked, nor the same person by another account', async () => {
    const devices = fleetOf(6);
    const { id, state } = await request({ target: { devices } }, undefined, 'op:1');
    expect(state).toBe('awaiting_approval');
    expect(await suite.deliver(devices[0]!)).toBeUndefined();
    for (const who of ['op:1', 'op:1-too'])
      await expect(service().approve(id, by(who))).rejects.toMatchObject({ code: 'command.batch_same_person' });
    await expect(service().approve(id, by('op:off'))).rejects.toMatchObject({ code: 'auth.role_insufficient' });
    expect((await service().approve(id, by('op:2'))).state).toBe('running');
    expect(await settled(id, 'done')).toEqual({ devices: { sent: 6 }, commands: { queued: 6 } });
    expect((await batches().history(id)).map(({ state, who }) => [state, who])).toEqual([
      ['awaiting_approval', 'op:1'],
      ['running', 'op:2'],
      ['done', null],
    ]);
    await expect(service().approve(id, by('op:2'))).rejects.toMatchObject({ code: 'command.batch_closed' });
  });

  it('nor does whoever may hold the key of the account that asked count as somebody else', async () => {
    const { id } = await request({ target: { devices: fleetOf(6) } }, undefined, 'op:puppet');
    await expect(service().approve(id, by('op:1'))).rejects.toMatchObject({ code: 'command.batch_same_person' });
    expect((await service().approve(id, by('op:2'))).state).toBe('running');
    await settled(id, 'done');
  });

  it('many small ones come to no more than a large one, whichever accounts one person sends them by', async () => {
    const send = (n: number, who: string) => request({ target: { devices: fleetOf(n) } }, undefined, who);
    expect((await send(2, 'op:puppet')).state).toBe('running');
    expect((await send(3, 'op:1')).state).toBe('running');
    const { id, state } = await send(1, 'op:1-too');
    expect(state).toBe('awaiting_approval');
    expect((await send(1, 'op:2')).state).toBe('running');
    const body = BatchRequest.parse({ name: 'honk', target: { devices: fleetOf(1) } });
    expect(await service().preview(body, requester('op:1'), new Date())).toMatchObject({
      matched: 1,
      sent_alone: 5,
      needs_approval: true,
    });
    // What two people agreed on counts for neither of them alone.
    await service().approve(id, by('op:2'));
    await settled(id, 'done');
    expect((await send(4, 'op:2')).state).toBe('running');
    // An hour later the old ones count no more.
    const client = await suite.database.admin();
    await client.query(`UPDATE command.batches SET created_at = created_at - interval '1 hour 1 minute'`);
    await client.end();
    expect((await send(5, 'op:1')).state).toBe('running');
  }, 60_000);

  it('ten at once do not slip through beside each other', async () => {
    const who = 'op:solo-at-once';
    const all = await Promise.all(
      Array.from({ length: 10 }, () => request({ target: { devices: fleetOf(2) } }, undefined, who)),
    );
    expect(all.filter(({ state }) => state === 'running')).toHaveLength(2);
    expect(all.filter(({ state }) => state === 'awaiting_approval')).toHaveLength(8);
  }, 60_000);

  it('however many wait, others go on', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 25; n += 1) ids.push((await request({ target: { devices: fleetOf(6) } })).id);
    const { id } = await request({ target: { devices: fleetOf(1) } });
    expect(await settled(id, 'done')).toMatchObject({ devices: { sent: 1 } });
    for (const waits of ids) await service().reject(waits, by('op:2'));
  }, 60_000);

  it('a rejected one never goes out, and one that nobody approves expires', async () => {
    const devices = fleetOf(6);
    const [one, two] = await Promise.all([request({ target: { devices } }), request({ target: { devices } })]);
    await service().reject(one.id, by('op:2'));
    const client = await suite.database.admin();
    await client.query('UPDATE command.batches SET approval_expires_at = now() WHERE id = $1', [two.id]);
    await client.end();
    expect((await settled(two.id, 'expired')).devices).toEqual({ cancelled: 6 });
    expect((await batches().counts(one.id)).devices).toEqual({ cancelled: 6 });
    expect(await suite.deliver(devices[0]!)).toBeUndefined();
  });
});

it('a cancel takes back what was not released, and leaves what was', async () => {
  const devices = fleetOf(4);
  const { id } = await request({ target: { devices } });
  await settled(id, 'done');
  const released = await suite.deliver(devices[0]!);
  await service().cancel(id, by('op:1'));
  expect((await settled(id, 'cancelled')).commands).toEqual({ cancelled: 3, released: 1 });
  expect(await suite.stateOf(released!.id)).toBe('released');
  expect(await suite.deliver(devices[1]!)).toBeUndefined();
});

it('a batch for later hands out nothing before its time', async () => {
  const devices = fleetOf(2);
  const { id } = await request({ not_before: new Date(Date.now() + 3_600_000).toISOString(), target: { devices } });
  expect((await settled(id, 'done')).commands).toEqual({ queued: 2 });
  expect(await suite.deliver(devices[0]!)).toBeUndefined();
});

it('keeps its history out of reach of the runtime role', async () => {
  const source = suite.app.get(Database).dataSource;
  await expect(source.query(`UPDATE batch_history SET who = 'op:9'`)).rejects.toMatchObject({ code: '42501' });
  await expect(source.query('DELETE FROM batch_devices')).rejects.toMatchObject({ code: '42501' });
});
