import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { issueFactoryDevice } from '@outrider/testing';
import { expectRefused, type Registry, refOf } from '../est/registry.fixture.js';
import { est, newKeys, received, request, type Suite, until } from '../est/suite.fixture.js';
import { LifecycleGround } from '../lifecycle/lifecycle.fixture.js';

let ground: LifecycleGround;
let suite: Suite;
let registry: Registry;

beforeAll(async () => {
  ground = await LifecycleGround.start();
  ({ suite, registry } = ground);
}, 60_000);

afterAll(() => ground?.stop());

describe('orders', () => {
  it('recover a device whose key was compromised: two operators, a new key, its factory certificate', async () => {
    const vehicle = await registry.enrolled('rec-one');
    const at = new Date();
    const ref = refOf(vehicle, 'rec-one');
    const event = { ref, reason: 'keyCompromise', revokedAt: at.toISOString(), revokedBy: 'op:revoker' };
    await registry.publish('revocation', 'revocation.certificate.revoked.v1', event);
    await ground.revoked('rec-one', at);
    await until(async () => (await ground.stateOf('rec-one')) === 'awaiting_recovery');
    expectRefused(
      await est(suite, 'simpleenroll', vehicle.factory, request('rec-one', newKeys())),
      403,
      'est.certificate_refused',
    );

    const first = suite.operatorToken('device:read device:write');
    const asked = await ground.order('rec-one', { kind: 'recovery', evidence: 'unit opened, photo 7' }, first);
    expect(asked).toMatchObject({ status: 201, json: { state: 'pending', kind: 'recovery' } });
    expect((await ground.order('rec-one', { kind: 'recovery' })).json).toMatchObject({
      code: 'provisioning.order_pending',
    });
    const id = asked.json.order_id;
    expect(await ground.approve(id, first)).toMatchObject({
      status: 403,
      json: { code: 'provisioning.order_same_operator' },
    });
    expect(await ground.stateOf('rec-one')).toBe('awaiting_recovery');
    expect((await ground.call('GET', '/v1/orders?state=pending')).json.items).toMatchObject([{ order_id: id }]);

    const verdicts = await Promise.all([ground.approve(id), ground.approve(id)]);
    expect(verdicts.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(await ground.stateOf('rec-one')).toBe('registered');
    await until(async () => {
      const told = await ground.lastEvent('provisioning.device.recovered.v1.rec-one');
      return told?.orderId === id && told?.revokedUpTo === at.toISOString();
    });
    // Heard again, it changes nothing.
    await ground.revoked('rec-one', at);
    const privateKey = createPrivateKey(vehicle.privateKeyPem);
    const old = request('rec-one', { privateKey, publicKey: createPublicKey(privateKey) });
    expectRefused(await est(suite, 'simpleenroll', vehicle.factory, old), 400, 'est.csr_key_refused');
    const keys = newKeys();
    received(await est(suite, 'simpleenroll', vehicle.factory, request('rec-one', keys)), keys);
    expect(await registry.show('rec-one')).toMatchObject({ state: 'active', attestation: 'none' });
    expect((await ground.call('GET', `/v1/orders/${id}`)).json).toMatchObject({
      state: 'approved',
      used_at: expect.any(String),
    });
    expectRefused(
      await est(suite, 'simplereenroll', vehicle, request('rec-one', newKeys())),
      403,
      'est.certificate_refused',
    );
    expect((await ground.history('rec-one')).map((one) => one.event)).toEqual([
      'enrolled',
      'recovered',
      'recovery_requested',
      'revoked',
      'enrolled',
      'registered',
    ]);
    await ground.revoked('rec-one', new Date());
    await until(async () => (await ground.stateOf('rec-one')) === 'awaiting_recovery');
  });

  it('are asked for where they can help, and rejected for good', async () => {
    await registry.registered('rej-one');
    expect((await ground.order('rej-one', { kind: 'recovery' })).json).toMatchObject({
      code: 'provisioning.state_conflict',
    });
    await ground.report('rej-one', 'scrapping');
    expect((await ground.order('rej-one', { kind: 'reinstate' })).json).toMatchObject({
      code: 'provisioning.evidence_required',
    });
    const { json } = await ground.order('rej-one', { kind: 'reinstate', evidence: 'found in a barn' });
    const rejected = await ground.call('POST', `/v1/orders/${json.order_id}/reject`, { reason: 'no' });
    expect(rejected.json).toMatchObject({ state: 'rejected', decision_reason: 'no' });
    expect((await ground.approve(json.order_id)).json).toMatchObject({ code: 'provisioning.order_closed' });
    expect(await ground.stateOf('rej-one')).toBe('retired');
    const again = await ground.order('rej-one', { kind: 'reinstate', evidence: 'found in a barn' });
    expect((await ground.approve(again.json.order_id)).status).toBe(200);
    expect(await ground.stateOf('rej-one')).toBe('registered');
    await until(async () => !('mode' in ((await ground.denied('rej-one')) ?? { mode: '' })));
    expect((await ground.approve(randomUUID())).status).toBe(404);
  });

  it('expire', async () => {
    await registry.registered('exp-one');
    await ground.report('exp-one', 'scrapping');
    const { json } = await ground.order('exp-one', { kind: 'reinstate', evidence: 'e' });
    const admin = await suite.database.admin();
    await admin.query("UPDATE device_orders SET expires_at = now() - interval '1 second' WHERE order_id = $1", [
      json.order_id,
    ]);
    await admin.end();
    expect((await ground.approve(json.order_id)).json).toMatchObject({ code: 'provisioning.order_closed' });
    expect((await ground.call('GET', '/v1/orders?state=expired&device=exp-one')).json.items).toHaveLength(1);
    expect((await ground.order('exp-one', { kind: 'reinstate', evidence: 'e' })).status).toBe(201);
  });

  it('swap the hardware: the old one is never let in again, as no device', async () => {
    const vehicle = await registry.enrolled('swap-one');
    const factory = { manufacturer: 'demo-motors', serial_number: 'DM-SWAP-NEW' };
    const { json } = await ground.order('swap-one', { kind: 'ecu_swap', evidence: 'workshop sheet 12', factory });
    expect((await ground.approve(json.order_id)).status).toBe(200);
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
    expect((await ground.call('POST', '/v1/devices', back)).status).toBe(409);
    await registry.registered('swap-three');
    const taken = { manufacturer: 'demo-motors', serial_number: 'DM-SWAP-ONE' };
    expect((await ground.order('swap-three', { kind: 'ecu_swap', evidence: 'e', factory: taken })).json).toMatchObject({
      code: 'provisioning.factory_identity_refused',
    });
    const fitted = await issueFactoryDevice(suite.fleet, 'swap-new');
    const keys = newKeys();
    received(await est(suite, 'simpleenroll', fitted, request('swap-one', keys)), keys);
    expect(await ground.stateOf('swap-one')).toBe('active');
  });
});
