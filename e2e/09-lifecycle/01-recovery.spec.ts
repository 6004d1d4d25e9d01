import { beforeAll, describe, expect } from '@jest/globals';
import { type Answer, curlLine } from '../harness/curl.js';
import { at } from '../harness/endpoints.js';
import { file } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { payloadOf, signed } from '../harness/message.js';
import { certificatesOf, newKey, newRequest } from '../harness/openssl.js';
import { approverToken, operator, operatorToken } from '../harness/operator.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { attempt, isRefused, type Loot, loot, refusals } from '../harness/theft.js';
import { until } from '../harness/until.js';
import { est, Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);

describe('a vehicle whose key was compromised', () => {
  let vehicle: Vehicle;
  let back: Vehicle;
  let goods: Loot;
  let orderId: string;

  beforeAll(async () => {
    vehicle = await Vehicle.enrol('recovered');
    goods = await loot(vehicle);
  });

  const stateOf = async () => (await outriderJson<{ state: string }>('device', 'show', vehicle.id)).state;
  const post = (path: string, token: string, body?: object): Promise<Answer> =>
    curlLine(
      `curl -X POST ${at('provisioning', 'operator')}${path} -H "Authorization: Bearer $TOKEN"${
        body ? ` -H "Content-Type: application/json" -d '${JSON.stringify(body)}'` : ''
      }`,
      { TOKEN: token },
    );
  const enrolWith = async (key: string): Promise<Answer> =>
    est('simpleenroll', await newRequest(key, `/CN=${vehicle.id}`), vehicle.factory);
  const revoke = () =>
    operator('revocation', 'POST', '/revoke?wait=enforced', {
      body: { device_id: vehicle.id, reason: 'key-compromise' },
    });

  test('awaits its recovery, blocked besides, and enrols by nothing', async () => {
    expect((await operator('gateway', 'POST', '/admin/block', { body: { device_id: vehicle.id } })).status).toBe(200);
    expect((await revoke()).status).toBe(200);
    await until('awaiting recovery', async () => (await stateOf()) === 'awaiting_recovery');
    const answer = await enrolWith(await newKey('early.key', 'P-256'));
    expect({ status: answer.status, code: answer.body.split(':')[0] }).toEqual({
      status: 403,
      code: 'denylist.device',
    });
  });

  test('one operator asks for its recovery, and cannot decide it', async () => {
    const asked = await post(`/v1/devices/${vehicle.id}/orders`, operatorToken(), {
      kind: 'recovery',
      reason: 'new key fitted in the workshop',
      evidence: 'unit opened, photo 7',
    });
    expect({ status: asked.status, state: asked.json().state }).toEqual({ status: 201, state: 'pending' });
    orderId = asked.json().order_id;
    const own = await post(`/v1/orders/${orderId}/approve`, operatorToken());
    expect({ status: own.status, code: own.json().code }).toEqual({
      status: 403,
      code: 'provisioning.order_same_operator',
    });
    const { code } = await outrider('order', 'approve', orderId);
    expect(code).toBe(4);
    expect(await stateOf()).toBe('awaiting_recovery');
    expect((await outrider('order', 'list', '--state', 'pending')).stdout).toContain(orderId);
  });

  test('another operator approves, once', async () => {
    const approved = await outriderJson('order', 'approve', orderId, '--as', 'local-approver', '--reason', 'seen it');
    expect(approved).toMatchObject({ state: 'approved', device_id: vehicle.id });
    const again = await post(`/v1/orders/${orderId}/approve`, approverToken());
    expect({ status: again.status, code: again.json().code }).toEqual({
      status: 409,
      code: 'provisioning.order_closed',
    });
    expect(await stateOf()).toBe('registered');
  });

  test('the factory certificate brings it back with a new key: certificate, token, telemetry', async () => {
    const key = await newKey(`${vehicle.id}-new.key`, 'P-256');
    const answer = await until('enrolled', async () => {
      const tried = await enrolWith(key);
      return tried.status === 200 ? tried : undefined;
    });
    back = new Vehicle(
      vehicle.id,
      key,
      file('back.crt', (await certificatesOf(answer.body))[0] ?? ''),
      vehicle.factory,
    );
    expect(await stateOf()).toBe('active');
    const sent = await back.sendTelemetry(signed(payloadOf(back.id, 1), back.key), await back.token());
    expect({ status: sent.status, body: sent.body }).toMatchObject({ status: 200 });
    expect(Object.values(await attempt(back, await loot(back))).some(isRefused)).toBe(false);
    expect(await outriderJson('order', 'show', orderId)).toMatchObject({ used_at: expect.any(String) });
  });

  test('the block that the order knew of is over', async () => {
    const { body } = await operator('gateway', 'GET', '/v1/blocks?limit=1000');
    expect(body.items.map((one: { device_id: string }) => one.device_id)).not.toContain(vehicle.id);
  });

  test('the old certificate and the old key stay refused everywhere', async () => {
    const seen = await attempt(vehicle, goods);
    for (const one of Object.values(seen)) expect({ ...one, refused: isRefused(one) }).toMatchObject({ refused: true });
    const answer = await est('simplereenroll', await newRequest(vehicle.key, `/CN=${vehicle.id}`), back);
    expect({ status: answer.status, code: answer.body.split(':')[0] }).toEqual({ status: 403, code: 'denylist.key' });
  });

  test('its history says who did what and why', async () => {
    const { items } = await outriderJson<{ items: { event: string; who: string; why: string }[] }>(
      'device',
      'history',
      vehicle.id,
    );
    const events = items.map(({ event }) => event);
    expect(events.slice(0, 4)).toEqual(['enrolled', 'recovered', 'recovery_requested', 'revoked']);
    const [recovered, requested] = [items[1], items[2]];
    expect(recovered?.who).toMatch(/^op:/);
    expect(requested?.who).toMatch(/^op:/);
    expect(recovered?.who).not.toBe(requested?.who);
    expect(recovered?.why).toBe('new key fitted in the workshop');
  });

  test('a later revocation stands', async () => {
    const later = await loot(back);
    expect((await revoke()).status).toBe(200);
    const seen = await refusals(back, later, performance.now());
    expect(Object.values(seen).every(isRefused)).toBe(true);
    await until('awaiting recovery again', async () => (await stateOf()) === 'awaiting_recovery');
  });
});
