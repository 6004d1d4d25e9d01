import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { blockChanged, deviceRecovered, deviceRevoked } from '@outrider/contracts';
import { publishEvent, type Suite, startDenylist, startRegistry, startSuite, until } from '../suite.fixture.js';

const DEVICE = 'device-12345';
const THUMBPRINT = `${'t'.repeat(42)}A`;
let suite: Suite;
let denylist: ReturnType<typeof startDenylist>;

beforeAll(async () => {
  suite = await startSuite();
  denylist = startDenylist(suite.revocation);
  startRegistry(suite.provisioning, DEVICE, THUMBPRINT);
}, 60_000);
afterAll(async () => {
  await suite?.stop();
});

const block = (body: object) => suite.call('POST', '/admin/block', 'gateway:block', body);
const unblock = (body: object) => suite.call('POST', '/admin/unblock', 'gateway:block', body);

async function lastEvent() {
  const connection = await suite.nats.connectAs('provisioner');
  const manager = await jetstreamManager(connection);
  const found = await manager.streams.getMessage('EVENTS', { last_by_subj: `${blockChanged.subject}.${DEVICE}` });
  await connection.close();
  return found?.json<{ blocked: boolean; mode?: string; reason: string }>();
}

describe('POST /admin/block', () => {
  it('blocks, as curl -d sends it, tells provisioning and says who enforces it', async () => {
    const { headers: _, ...answer } = await block({ device_id: DEVICE, thumbprint: THUMBPRINT, reason: '' });
    expect(answer).toEqual({
      status: 200,
      body: {
        device_id: DEVICE,
        blocked: true,
        mode: 'recovery',
        enforcedBy: [{ instance: 'telemetry-00000001', ms: 3 }],
        pending: [],
      },
    });
    expect(denylist.asked).toMatchObject([
      { verb: 'add', entries: [{ kind: 'device', value: DEVICE, mode: 'recovery' }] },
    ]);
    await until(async () => (await lastEvent())?.blocked === true);
    const { body } = await suite.call('GET', '/v1/blocks', 'gateway:block');
    expect(body).toMatchObject({ items: [{ device_id: DEVICE, mode: 'recovery', delivered: true }], next: null });
  });

  it('can be said again, and in another mode', async () => {
    expect((await block({ device_id: DEVICE })).status).toBe(200);
    expect((await block({ device_id: DEVICE, mode: 'deny' })).body).toMatchObject({ mode: 'deny' });
    await until(async () => (await lastEvent())?.mode === 'deny');
    const admin = await suite.database.admin();
    expect((await admin.query('SELECT 1 FROM block_changes')).rowCount).toBe(2);
    await admin.end();
  });

  it.each([
    [{ device_id: DEVICE, thumbprint: `${'x'.repeat(42)}A` }, 409, 'gateway.target_conflict'],
    [{ device_id: 'device-unknown' }, 404, 'provisioning.device_not_found'],
    [{ device_id: '' }, 400, 'gateway.target_missing'],
    [{ device_id: DEVICE, mode: 'later' }, 400, 'request.invalid'],
    [{ device_id: DEVICE, more: 1 }, 400, 'request.invalid'],
  ])('refuses %p', async (body, status, code) => {
    expect(await block(body)).toMatchObject({ status, body: { code } });
  });

  it('needs the scope', async () => {
    expect((await suite.call('POST', '/admin/block', 'device:read', { device_id: DEVICE })).status).toBe(403);
  });
});

describe('POST /admin/unblock', () => {
  it('needs a reason, then lifts the block, once', async () => {
    expect(await unblock({ device_id: DEVICE })).toMatchObject({
      status: 400,
      body: { code: 'gateway.reason_required' },
    });
    expect(await unblock({ device_id: DEVICE, reason: 'found' })).toMatchObject({
      status: 200,
      body: { blocked: false },
    });
    expect(denylist.asked.at(-1)).toMatchObject({ verb: 'remove', entries: [{ value: DEVICE }] });
    const again = await unblock({ device_id: DEVICE, reason: 'found' });
    expect(again).toMatchObject({ status: 409, body: { code: 'gateway.not_blocked' } });
    expect((await suite.call('GET', '/v1/blocks', 'gateway:block')).body.items).toEqual([]);
  });

  it('is committed while revocation is away, pending, and delivered when it is back: the last word last', async () => {
    denylist.stop();
    const away = await block({ device_id: DEVICE });
    expect(away).toMatchObject({
      status: 200,
      body: { blocked: true, enforcedBy: [], pending: [{ instance: 'revocation' }] },
    });
    expect((await unblock({ device_id: DEVICE, reason: 'wrong one' })).status).toBe(200);
    expect((await block({ device_id: DEVICE })).status).toBe(200);
    expect((await suite.call('GET', '/v1/blocks', 'gateway:block')).body.items).toMatchObject([{ delivered: false }]);
    denylist = startDenylist(suite.revocation);
    await until(() => denylist.asked.length > 0);
    await until(async () => (await suite.call('GET', '/v1/blocks', 'gateway:block')).body.items[0].delivered);
    expect(denylist.asked.at(-1)).toMatchObject({ verb: 'add' });
  });

  it('gives nothing back after a key compromise', async () => {
    const event = {
      deviceId: DEVICE,
      reason: 'keyCompromise',
      revokedAt: new Date().toISOString(),
      revokedBy: 'op:1',
    };
    await publishEvent(suite.revocation, deviceRevoked, event, DEVICE);
    const admin = await suite.database.admin();
    // Before it is heard, an unblock would still be one.
    await until(async () => (await admin.query('SELECT 1 FROM revoked_devices')).rowCount === 1, 20_000);
    await admin.end();
    const { body } = await unblock({ device_id: DEVICE, reason: 'please' });
    expect(body.code).toBe('gateway.reprovision_required');
    expect((await suite.call('GET', '/v1/blocks', 'gateway:block')).body.items).toHaveLength(1);
  });

  it('by an approved recovery order ends, and a later one stands', async () => {
    const admin = await suite.database.admin();
    const [{ changed_at: blockedAt }] = (await admin.query('SELECT changed_at FROM blocks')).rows as [
      { changed_at: Date },
    ];
    const [{ revoked_at: revokedAt }] = (await admin.query('SELECT revoked_at FROM revoked_devices')).rows as [
      { revoked_at: Date },
    ];
    const order = {
      deviceId: DEVICE,
      kind: 'recovery',
      reason: 'new key fitted',
      requestedBy: 'op:1',
      approvedBy: 'op:2',
      at: new Date().toISOString(),
    } as const;
    const recovered = (parts: { revokedUpTo?: string; blockedUpTo?: string }) =>
      publishEvent(suite.provisioning, deviceRecovered, { ...order, orderId: randomUUID(), ...parts }, DEVICE);
    const blocks = async () => (await suite.call('GET', '/v1/blocks', 'gateway:block')).body.items;
    // Neither the revocation nor the block was known to this one.
    await recovered({ blockedUpTo: new Date(blockedAt.getTime() - 1).toISOString() });
    await recovered({ revokedUpTo: revokedAt.toISOString() });
    await until(async () => (await admin.query('SELECT 1 FROM recovered_devices')).rowCount === 2);
    await admin.end();
    expect(await blocks()).toHaveLength(1);
    await recovered({ revokedUpTo: revokedAt.toISOString(), blockedUpTo: blockedAt.toISOString() });
    await until(async () => (await blocks()).length === 0);
    await until(async () => (await lastEvent())?.blocked === false);
    expect(denylist.asked.at(-1)).toMatchObject({ verb: 'remove', entries: [{ value: DEVICE }] });
    expect((await block({ device_id: DEVICE })).status).toBe(200);
    expect((await unblock({ device_id: DEVICE, reason: 'found' })).status).toBe(200);
  });
});
