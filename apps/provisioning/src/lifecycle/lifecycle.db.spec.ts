import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { expectRefused, type Registry } from '../est/registry.fixture.js';
import { est, newKeys, received, request, type Suite, until } from '../est/suite.fixture.js';
import { LifecycleGround } from './lifecycle.fixture.js';

let ground: LifecycleGround;
let suite: Suite;
let registry: Registry;

beforeAll(async () => {
  ground = await LifecycleGround.start();
  ({ suite, registry } = ground);
}, 60_000);

afterAll(() => ground?.stop());

describe('what operators report', () => {
  it('a theft quarantines, with denylist mode recovery, until it is over', async () => {
    const vehicle = await registry.enrolled('theft-one');
    expect((await ground.report('theft-one', 'theft')).json).toMatchObject({
      state: 'quarantined',
      held_for: ['theft'],
    });
    await until(async () => (await ground.denied('theft-one'))?.mode === 'recovery');
    expectRefused(
      await est(suite, 'simplereenroll', vehicle, request('theft-one', newKeys())),
      403,
      'est.device_state_refused',
    );
    const before = (await ground.history('theft-one')).length;
    expect((await ground.report('theft-one', 'theft')).status).toBe(200);
    expect((await ground.history('theft-one')).length).toBe(before);
    expect((await ground.report('theft-one', 'theft_ended')).json).toMatchObject({ state: 'active' });
    await until(async () => !('mode' in ((await ground.denied('theft-one')) ?? { mode: '' })));
    expect(await ground.report('theft-one', 'theft_ended')).toMatchObject({
      status: 409,
      json: { code: 'provisioning.state_conflict' },
    });
  });

  it('a sale ends the certificates and forgets the groups; the factory certificate begins anew', async () => {
    const vehicle = await registry.enrolled('sale-one');
    await ground.call('PATCH', '/v1/devices/sale-one', {
      labels: ['north'],
      vin: '1HGCM82633A004352',
      reason: 'grouped',
    });
    const sold = (await ground.report('sale-one', 'sale')).json;
    expect(sold).toMatchObject({ state: 'registered', labels: [], vin: '1HGCM82633A004352' });
    expectRefused(
      await est(suite, 'simplereenroll', vehicle, request('sale-one', newKeys())),
      403,
      'est.device_state_refused',
    );
    expect(await registry.statusOf('sale-one', vehicle.certificate.thumbprint)).toBe('superseded');
    const superseded = 'provisioning.certificate.superseded.v1.sale-one';
    await until(async () => (await ground.lastEvent(superseded)) !== undefined);
    expect(await ground.lastEvent(superseded)).toMatchObject({
      ref: { thumbprint: vehicle.certificate.thumbprint },
    });
    const keys = newKeys();
    received(await est(suite, 'simpleenroll', vehicle.factory, request('sale-one', keys)), keys);
    expect(await ground.stateOf('sale-one')).toBe('active');
  });

  it('a key from before a sale is certified no more, not even one that was in its overlap: the seller may have kept it', async () => {
    const factory = await registry.registered('sale-two');
    const [first, second] = [newKeys(), newKeys()];
    const vehicle = received(await est(suite, 'simpleenroll', factory, request('sale-two', first)), first);
    const renewed = received(await est(suite, 'simplereenroll', vehicle, request('sale-two', second)), second);
    await registry.seen('sale-two', renewed.certificate.thumbprint);
    await until(async () => (await registry.statusOf('sale-two', renewed.certificate.thumbprint)) === 'live');
    await ground.report('sale-two', 'sale');
    for (const keys of [first, second]) {
      const answer = await est(suite, 'simpleenroll', factory, request('sale-two', keys));
      expectRefused(answer, 400, 'est.csr_key_refused');
    }
  });

  it('scrapping is for good, and has the id denied', async () => {
    const factory = await registry.registered('scrap-one');
    expect((await ground.report('scrap-one', 'scrapping')).json).toMatchObject({ state: 'retired' });
    await until(async () => (await ground.denied('scrap-one'))?.mode === 'deny');
    expectRefused(
      await est(suite, 'simpleenroll', factory, request('scrap-one', newKeys())),
      403,
      'est.device_state_refused',
    );
    expect((await ground.report('scrap-one', 'theft')).status).toBe(409);
    await registry.registered('scrap-two');
    expect((await ground.call('POST', '/v1/devices/scrap-two/retire')).json).toMatchObject({ state: 'retired' });
  });

  it('the workshop is noted; an ECU swap takes an order', async () => {
    await registry.registered('shop-one');
    expect((await ground.report('shop-one', 'workshop')).json).toMatchObject({
      state: 'registered',
      in_workshop: true,
    });
    expect((await ground.report('shop-one', 'workshop_ended')).json).not.toHaveProperty('in_workshop');
    expect((await ground.report('shop-one', 'ecu_swap')).json).toMatchObject({ code: 'provisioning.order_required' });
  });
});

describe('two operators at once', () => {
  it('one changes what both saw', async () => {
    await registry.registered('race-one');
    const { etag } = await ground.call('GET', '/v1/devices/race-one');
    const ask = (label: string) =>
      ground.call('PATCH', '/v1/devices/race-one', { labels: [label] }, { ifMatch: etag as string });
    const statuses = (await Promise.all(['a', 'b', 'c'].map(ask))).map(({ status }) => status).sort();
    expect(statuses).toEqual([200, 412, 412]);
    expect((await ground.report('race-one', 'theft', etag)).json).toMatchObject({
      code: 'request.precondition_failed',
    });
    expect((await ground.report('race-one', 'theft', '*')).status).toBe(200);
  });
});

describe('history', () => {
  it('says of every change from, to, who and why, and is never changed', async () => {
    await registry.enrolled('hist-one');
    await ground.call('PATCH', '/v1/devices/hist-one', { labels: ['north'], reason: 'grouped' });
    await ground.call('PATCH', '/v1/devices/hist-one', { labels: ['north'] });
    const block = { deviceId: 'hist-one', blocked: true, reason: 'odd', by: 'op:guard', at: new Date().toISOString() };
    await registry.publish('gateway', 'gateway.block.changed.v1.hist-one', block);
    await until(async () => (await ground.stateOf('hist-one')) === 'quarantined');
    const entries = await ground.history('hist-one');
    expect(entries).toMatchObject([
      { event: 'blocked', from: 'active', to: 'quarantined', who: 'op:guard', why: 'odd' },
      { event: 'changed', why: 'grouped', detail: { labels: [[], ['north']] } },
      { event: 'enrolled', from: 'registered', to: 'active', who: expect.stringMatching(/^vehicle:/) },
      { event: 'registered', to: 'registered', who: expect.stringMatching(/^op:/) },
    ]);
    const first = await ground.call('GET', '/v1/devices/hist-one/history?limit=3');
    const rest = await ground.call('GET', `/v1/devices/hist-one/history?limit=3&after=${first.json.next}`);
    expect([...first.json.items, ...rest.json.items]).toEqual(entries);
    expect(rest.json.next).toBeNull();
    expect((await ground.call('GET', '/v1/devices/nobody-here/history')).status).toBe(404);
    const admin = await suite.database.admin();
    for (const sql of ["UPDATE device_history SET why = ''", 'DELETE FROM device_history', 'TRUNCATE device_history']) {
      await expect(admin.query(sql)).rejects.toThrow();
    }
    await admin.end();
  });

  it('ignores a block older than the last, and a revocation that was recovered from', async () => {
    await registry.registered('late-one');
    const block = (blocked: boolean, at: number) => {
      const event = { deviceId: 'late-one', blocked, reason: 'r', by: 'op:g', at: new Date(at).toISOString() };
      return registry.publish('gateway', 'gateway.block.changed.v1.late-one', event);
    };
    await block(true, 2000);
    await until(async () => (await ground.stateOf('late-one')) === 'quarantined');
    await block(false, 1000);
    await block(false, 3000);
    await until(async () => (await ground.stateOf('late-one')) === 'registered');
    expect((await ground.history('late-one')).map(({ event }) => event)).toEqual([
      'unblocked',
      'blocked',
      'registered',
    ]);
  });
});
