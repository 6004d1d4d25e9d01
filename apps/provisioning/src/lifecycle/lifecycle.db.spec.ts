import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { issueFactoryDevice } from '@outrider/testing';
import { expectRefused, refOf, registryOf } from '../est/registry.fixture.js';
import { est, newKeys, received, request, type Suite, send, startSuite, until } from '../est/suite.fixture.js';

let suite: Suite;
let registry: ReturnType<typeof registryOf>;

beforeAll(async () => {
  suite = await startSuite();
  registry = registryOf(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

interface Parsed {
  readonly status: number;
  readonly etag: string | undefined;
  readonly json: Record<string, unknown> & { items: Record<string, unknown>[] };
}

/** Each token is another operator's, unless told which. */
async function call(method: string, path: string, body?: object, parts: { token?: string; ifMatch?: string } = {}) {
  const { token = suite.operatorToken('device:read device:write'), ifMatch } = parts;
  const answer = await send(suite, `${suite.operatorUrl}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: answer.status, etag: answer.headers.etag, json: JSON.parse(answer.body) } as Parsed;
}

const report = (name: string, event: string, ifMatch?: string) =>
  call(
    'POST',
    `/v1/devices/${name}/events`,
    { event, reason: `a ${event}`, ticket: 'T-1' },
    ifMatch ? { ifMatch } : {},
  );
const order = (name: string, body: object, token?: string) =>
  call('POST', `/v1/devices/${name}/orders`, { reason: 'because', ...body }, token ? { token } : {});
const approve = (id: unknown, token?: string) =>
  call('POST', `/v1/orders/${id}/approve`, undefined, token ? { token } : {});
const stateOf = async (name: string) => (await registry.show(name)).state;
const history = async (name: string) => (await call('GET', `/v1/devices/${name}/history`)).json.items;

async function lastEvent(subject: string): Promise<Record<string, unknown> | undefined> {
  const connection = await suite.nats.connectAs('provisioner');
  const answer = await connection.request('$JS.API.STREAM.MSG.GET.EVENTS', JSON.stringify({ last_by_subj: subject }));
  await connection.close();
  const { message } = answer.json<{ message?: { data: string } }>();
  return message && JSON.parse(Buffer.from(message.data, 'base64').toString());
}

const denied = (name: string) => lastEvent(`provisioning.device.denied.v1.${name}`);

function revoked(name: string, at: Date) {
  const event = { deviceId: name, reason: 'keyCompromise', revokedAt: at.toISOString(), revokedBy: 'op:revoker' };
  return registry.publish('revocation', `revocation.device.revoked.v1.${name}`, event);
}

describe('what operators report', () => {
  it('a theft quarantines, with denylist mode recovery, until it is over', async () => {
    const vehicle = await registry.enrolled('theft-one');
    expect((await report('theft-one', 'theft')).json).toMatchObject({ state: 'quarantined', held_for: ['theft'] });
    await until(async () => (await denied('theft-one'))?.mode === 'recovery');
    expectRefused(
      await est(suite, 'simplereenroll', vehicle, request('theft-one', newKeys())),
      403,
      'est.device_state_refused',
    );
    const before = (await history('theft-one')).length;
    expect((await report('theft-one', 'theft')).status).toBe(200);
    expect((await history('theft-one')).length).toBe(before);
    expect((await report('theft-one', 'theft_ended')).json).toMatchObject({ state: 'active' });
    await until(async () => !('mode' in ((await denied('theft-one')) ?? { mode: '' })));
    expect(await report('theft-one', 'theft_ended')).toMatchObject({
      status: 409,
      json: { code: 'provisioning.state_conflict' },
    });
  });

  it('a sale ends the certificates and forgets the groups; the factory certificate begins anew', async () => {
    const vehicle = await registry.enrolled('sale-one');
    await call('PATCH', '/v1/devices/sale-one', { labels: ['north'], vin: '1HGCM82633A004352', reason: 'grouped' });
    const sold = (await report('sale-one', 'sale')).json;
    expect(sold).toMatchObject({ state: 'registered', labels: [], vin: '1HGCM82633A004352' });
    expectRefused(
      await est(suite, 'simplereenroll', vehicle, request('sale-one', newKeys())),
      403,
      'est.device_state_refused',
    );
    expect(await registry.statusOf('sale-one', vehicle.certificate.thumbprint)).toBe('superseded');
    const superseded = 'provisioning.certificate.superseded.v1.sale-one';
    await until(async () => (await lastEvent(superseded)) !== undefined);
    expect(await lastEvent(superseded)).toMatchObject({
      ref: { thumbprint: vehicle.certificate.thumbprint },
    });
    const keys = newKeys();
    received(await est(suite, 'simpleenroll', vehicle.factory, request('sale-one', keys)), keys);
    expect(await stateOf('sale-one')).toBe('active');
  });

  it('a key from before a sale is certified no more, not even one that was in its overlap: the seller may have kept it', async () => {
    const factory = await registry.registered('sale-two');
    const [first, second] = [newKeys(), newKeys()];
    const vehicle = received(await est(suite, 'simpleenroll', factory, request('sale-two', first)), first);
    const renewed = received(await est(suite, 'simplereenroll', vehicle, request('sale-two', second)), second);
    await registry.seen('sale-two', renewed.certificate.thumbprint);
    await until(async () => (await registry.statusOf('sale-two', renewed.certificate.thumbprint)) === 'live');
    await report('sale-two', 'sale');
    for (const keys of [first, second]) {
      const answer = await est(suite, 'simpleenroll', factory, request('sale-two', keys));
      expectRefused(answer, 400, 'est.csr_key_refused');
    }
  });

  it('scrapping is for good, and has the id denied', async () => {
    const factory = await registry.registered('scrap-one');
    expect((await report('scrap-one', 'scrapping')).json).toMatchObject({ state: 'retired' });
    await until(async () => (await denied('scrap-one'))?.mode === 'deny');
    expectRefused(
      await est(suite, 'simpleenroll', factory, request('scrap-one', newKeys())),
      403,
      'est.device_state_refused',
    );
    expect((await report('scrap-one', 'theft')).status).toBe(409);
    await registry.registered('scrap-two');
    expect((await call('POST', '/v1/devices/scrap-two/retire')).json).toMatchObject({ state: 'retired' });
  });

  it('the workshop is noted; an ECU swap takes an order', async () => {
    await registry.registered('shop-one');
    expect((await report('shop-one', 'workshop')).json).toMatchObject({ state: 'registered', in_workshop: true });
    expect((await report('shop-one', 'workshop_ended')).json).not.toHaveProperty('in_workshop');
    expect((await report('shop-one', 'ecu_swap')).json).toMatchObject({ code: 'provisioning.order_required' });
  });
});

describe('two operators at once', () => {
  it('one changes what both saw', async () => {
    await registry.registered('race-one');
    const { etag } = await call('GET', '/v1/devices/race-one');
    const ask = (label: string) =>
      call('PATCH', '/v1/devices/race-one', { labels: [label] }, { ifMatch: etag as string });
    const statuses = (await Promise.all(['a', 'b', 'c'].map(ask))).map(({ status }) => status).sort();
    expect(statuses).toEqual([200, 412, 412]);
    expect((await report('race-one', 'theft', etag)).json).toMatchObject({ code: 'request.precondition_failed' });
    expect((await report('race-one', 'theft', '*')).status).toBe(200);
  });
});

describe('history', () => {
  it('says of every change from, to, who and why, and is never changed', async () => {
    await registry.enrolled('hist-one');
    await call('PATCH', '/v1/devices/hist-one', { labels: ['north'], reason: 'grouped' });
    await call('PATCH', '/v1/devices/hist-one', { labels: ['north'] });
    const block = { deviceId: 'hist-one', blocked: true, reason: 'odd', by: 'op:guard', at: new Date().toISOString() };
    await registry.publish('gateway', 'gateway.block.changed.v1.hist-one', block);
    await until(async () => (await stateOf('hist-one')) === 'quarantined');
    const entries = await history('hist-one');
    expect(entries).toMatchObject([
      { event: 'blocked', from: 'active', to: 'quarantined', who: 'op:guard', why: 'odd' },
      { event: 'changed', why: 'grouped', detail: { labels: [[], ['north']] } },
      { event: 'enrolled', from: 'registered', to: 'active', who: expect.stringMatching(/^vehicle:/) },
      { event: 'registered', to: 'registered', who: expect.stringMatching(/^op:/) },
    ]);
    const first = await call('GET', '/v1/devices/hist-one/history?limit=3');
    const rest = await call('GET', `/v1/devices/hist-one/history?limit=3&after=${first.json.next}`);
    expect([...first.json.items, ...rest.json.items]).toEqual(entries);
    expect(rest.json.next).toBeNull();
    expect((await call('GET', '/v1/devices/nobody-here/history')).status).toBe(404);
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
    await until(async () => (await stateOf('late-one')) === 'quarantined');
    await block(false, 1000);
    await block(false, 3000);
    await until(async () => (await stateOf('late-one')) === 'registered');
    expect((await history('late-one')).map(({ event }) => event)).toEqual(['unblocked', 'blocked', 'registered']);
  });
});

describe('orders', () => {
  it('recover a device whose key was compromised: two operators, a new key, its factory certificate', async () => {
    const vehicle = await registry.enrolled('rec-one');
    const at = new Date();
    const ref = refOf(vehicle, 'rec-one');
    const event = { ref, reason: 'keyCompromise', revokedAt: at.toISOString(), revokedBy: 'op:revoker' };
    await registry.publish('revocation', 'revocation.certificate.revoked.v1', event);
    await revoked('rec-one', at);
    await until(async () => (await stateOf('rec-one')) === 'awaiting_recovery');
    expectRefused(
      await est(suite, 'simpleenroll', vehicle.factory, request('rec-one', newKeys())),
      403,
      'est.certificate_refused',
    );

    const first = suite.operatorToken('device:read device:write');
    const asked = await order('rec-one', { kind: 'recovery', evidence: 'unit opened, photo 7' }, first);
    expect(asked).toMatchObject({ status: 201, json: { state: 'pending', kind: 'recovery' } });
    expect((await order('rec-one', { kind: 'recovery' })).json).toMatchObject({ code: 'provisioning.order_pending' });
    const id = asked.json.order_id;
    expect(await approve(id, first)).toMatchObject({ status: 403, json: { code: 'provisioning.order_same_operator' } });
    expect(await stateOf('rec-one')).toBe('awaiting_recovery');
    expect((await call('GET', '/v1/orders?state=pending')).json.items).toMatchObject([{ order_id: id }]);

    const verdicts = await Promise.all([approve(id), approve(id)]);
    expect(verdicts.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(await stateOf('rec-one')).toBe('registered');
    await until(async () => {
      const told = await lastEvent('provisioning.device.recovered.v1.rec-one');
      return told?.orderId === id && told?.revokedUpTo === at.toISOString();
    });
    // Heard again, it changes nothing.
    await revoked('rec-one', at);
    const privateKey = createPrivateKey(vehicle.privateKeyPem);
    const old = request('rec-one', { privateKey, publicKey: createPublicKey(privateKey) });
    expectRefused(await est(suite, 'simpleenroll', vehicle.factory, old), 400, 'est.csr_key_refused');
    const keys = newKeys();
    received(await est(suite, 'simpleenroll', vehicle.factory, request('rec-one', keys)), keys);
    expect(await registry.show('rec-one')).toMatchObject({ state: 'active', attestation: 'none' });
    expect((await call('GET', `/v1/orders/${id}`)).json).toMatchObject({
      state: 'approved',
      used_at: expect.any(String),
    });
    expectRefused(
      await est(suite, 'simplereenroll', vehicle, request('rec-one', newKeys())),
      403,
      'est.certificate_refused',
    );
    expect((await history('rec-one')).map((one) => one.event)).toEqual([
      'enrolled',
      'recovered',
      'recovery_requested',
      'revoked',
      'enrolled',
      'registered',
    ]);
    await revoked('rec-one', new Date());
    await until(async () => (await stateOf('rec-one')) === 'awaiting_recovery');
  });

  it('are asked for where they can help, and rejected for good', async () => {
    await registry.registered('rej-one');
    expect((await order('rej-one', { kind: 'recovery' })).json).toMatchObject({ code: 'provisioning.state_conflict' });
    await report('rej-one', 'scrapping');
    expect((await order('rej-one', { kind: 'reinstate' })).json).toMatchObject({
      code: 'provisioning.evidence_required',
    });
    const { json } = await order('rej-one', { kind: 'reinstate', evidence: 'found in a barn' });
    const rejected = await call('POST', `/v1/orders/${json.order_id}/reject`, { reason: 'no' });
    expect(rejected.json).toMatchObject({ state: 'rejected', decision_reason: 'no' });
    expect((await approve(json.order_id)).json).toMatchObject({ code: 'provisioning.order_closed' });
    expect(await stateOf('rej-one')).toBe('retired');
    const again = await order('rej-one', { kind: 'reinstate', evidence: 'found in a barn' });
    expect((await approve(again.json.order_id)).status).toBe(200);
    expect(await stateOf('rej-one')).toBe('registered');
    await until(async () => !('mode' in ((await denied('rej-one')) ?? { mode: '' })));
    expect((await approve(randomUUID())).status).toBe(404);
  });

  it('expire', async () => {
    await registry.registered('exp-one');
    await report('exp-one', 'scrapping');
    const { json } = await order('exp-one', { kind: 'reinstate', evidence: 'e' });
    const admin = await suite.database.admin();
    await admin.query("UPDATE device_orders SET expires_at = now() - interval '1 second' WHERE order_id = $1", [
      json.order_id,
    ]);
    await admin.end();
    expect((await approve(json.order_id)).json).toMatchObject({ code: 'provisioning.order_closed' });
    expect((await call('GET', '/v1/orders?state=expired&device=exp-one')).json.items).toHaveLength(1);
    expect((await order('exp-one', { kind: 'reinstate', evidence: 'e' })).status).toBe(201);
  });

  it('swap the hardware: the old one is never let in again, as no device', async () => {
    const vehicle = await registry.enrolled('swap-one');
    const factory = { manufacturer: 'demo-motors', serial_number: 'DM-SWAP-NEW' };
    const { json } = await order('swap-one', { kind: 'ecu_swap', evidence: 'workshop sheet 12', factory });
    expect((await approve(json.order_id)).status).toBe(200);
    expect(await registry.show('swap-one')).toMatchObject({ state: 'registered', serial_number: 'DM-SWAP-NEW' });
    expectRefused(
      await est(suite, 'simplereenroll', vehicle, request('swap-one', newKeys())),
      403,
      'est.device_state_refused',
    );
    expectRefused(
      await est(suite, 'simpleenroll', vehicle.factory, request('swap-one', newKeys())),
      403,
      'est.device_unknown',
    );
    const back = { device_id: 'swap-two', manufacturer: 'demo-motors', serial_number: 'DM-SWAP-ONE' };
    expect((await call('POST', '/v1/devices', back)).status).toBe(409);
    await registry.registered('swap-three');
    const taken = { manufacturer: 'demo-motors', serial_number: 'DM-SWAP-ONE' };
    expect((await order('swap-three', { kind: 'ecu_swap', evidence: 'e', factory: taken })).json).toMatchObject({
      code: 'provisioning.factory_identity_refused',
    });
    const fitted = await issueFactoryDevice(suite.fleet, 'swap-new');
    const keys = newKeys();
    received(await est(suite, 'simpleenroll', fitted, request('swap-one', keys)), keys);
    expect(await stateOf('swap-one')).toBe('active');
  });
});
