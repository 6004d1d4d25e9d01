import { beforeAll, describe, expect } from '@jest/globals';
import { itWith } from '../harness/installed.js';
import { newKey, newRequest } from '../harness/openssl.js';
import { operator } from '../harness/operator.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { attempt, isRefused, loot, refusals } from '../harness/theft.js';
import { until } from '../harness/until.js';
import { est, Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);

interface Shown {
  readonly state: string;
  readonly version: number;
  readonly labels: readonly string[];
  readonly held_for?: readonly string[];
  readonly certificates: readonly { readonly status: string }[];
}

const show = (id: string) => outriderJson<Shown>('device', 'show', id);
const report = (id: string, event: string) =>
  outriderJson<Shown>('device', 'event', id, event, '--reason', `a ${event}`);
const denied = (code: string | undefined) => code?.startsWith('denylist.') === true;

describe('a theft', () => {
  let vehicle: Vehicle;
  beforeAll(async () => {
    vehicle = await Vehicle.enrol('theft');
  });

  test('shuts the vehicle out everywhere, and its end lets it in again', async () => {
    const goods = await loot(vehicle);
    expect(await report(vehicle.id, 'theft')).toMatchObject({ state: 'quarantined', held_for: ['theft'] });
    const seen = await refusals(vehicle, goods, performance.now());
    for (const one of Object.values(seen)) expect(one.code).toBe('denylist.device');
    expect(await report(vehicle.id, 'theft_ended')).toMatchObject({ state: 'active' });
    await until('let in again', async () => {
      const answers = await attempt(vehicle, goods);
      return Object.values(answers).every((one) => !isRefused(one));
    });
  });

  test('is not ended by an unblock, nor a block by its end', async () => {
    const goods = await loot(vehicle);
    await report(vehicle.id, 'theft');
    await operator('gateway', 'POST', '/admin/block', { body: { device_id: vehicle.id } });
    await until('held twice', async () => (await show(vehicle.id)).held_for?.length === 2);
    await operator('gateway', 'POST', '/admin/unblock', { body: { device_id: vehicle.id, reason: 'a mistake' } });
    await until('held once', async () => (await show(vehicle.id)).held_for?.length === 1);
    expect(await show(vehicle.id)).toMatchObject({ state: 'quarantined', held_for: ['theft'] });
    expect(Object.values(await attempt(vehicle, goods)).every(({ code }) => denied(code))).toBe(true);
    await report(vehicle.id, 'theft_ended');
  });

  test('that nobody reported cannot end', async () => {
    const { code, stderr } = await outrider('device', 'event', vehicle.id, 'theft_ended', '--reason', 'x', '--json');
    expect({ code, problem: JSON.parse(stderr).code }).toEqual({ code: 1, problem: 'provisioning.state_conflict' });
  });
});

describe('a sale', () => {
  test('ends the certificates of the old owner, forgets its groups, and begins anew', async () => {
    const vehicle = await Vehicle.enrol('sold');
    const path = `/v1/devices/${vehicle.id}`;
    const patched = await operator('provisioning', 'PATCH', path, { body: { labels: ['north'], reason: 'grouped' } });
    expect(patched.body).toMatchObject({ labels: ['north'] });
    const goods = await loot(vehicle);
    expect(await report(vehicle.id, 'sale')).toMatchObject({ state: 'registered', labels: [] });
    const seen = await refusals(vehicle, goods, performance.now());
    expect(Object.values(seen).every(({ code }) => denied(code))).toBe(true);
    const request = await newRequest(await newKey(`${vehicle.id}-2.key`, 'P-256'), `/CN=${vehicle.id}`);
    expect((await est('simpleenroll', request, vehicle.factory)).status).toBe(200);
    expect((await show(vehicle.id)).state).toBe('active');
  });
});

describe('scrapping', () => {
  test('is for good, unless two operators have evidence', async () => {
    const vehicle = await Vehicle.enrol('scrapped');
    const goods = await loot(vehicle);
    expect(await report(vehicle.id, 'scrapping')).toMatchObject({ state: 'retired' });
    await refusals(vehicle, goods, performance.now());
    const bare = await outrider('order', 'request', vehicle.id, 'reinstate', '--reason', 'it runs', '--json');
    expect(JSON.parse(bare.stderr).code).toBe('provisioning.evidence_required');
    const evidence = ['--reason', 'it runs', '--evidence', 'inspection 12'];
    const { order_id } = await outriderJson<{ order_id: string }>(
      'order',
      'request',
      vehicle.id,
      'reinstate',
      ...evidence,
    );
    await outriderJson('order', 'approve', order_id, '--as', 'local-approver');
    expect((await show(vehicle.id)).state).toBe('registered');
    const request = await newRequest(await newKey(`${vehicle.id}-2.key`, 'P-256'), `/CN=${vehicle.id}`);
    await until('enrolled', async () => (await est('simpleenroll', request, vehicle.factory)).status === 200);
    const seen = await refusals(vehicle, goods, performance.now());
    expect(Object.values(seen).every(isRefused)).toBe(true);
  });
});

describe('the registry', () => {
  test('changes what the operator saw, and nothing else (If-Match)', async () => {
    const vehicle = await Vehicle.enrol('matched');
    const path = `/v1/devices/${vehicle.id}`;
    const { version } = await show(vehicle.id);
    const ask = (label: string) =>
      operator('provisioning', 'PATCH', path, { body: { labels: [label] }, headers: { 'if-match': `"${version}"` } });
    const answers = await Promise.all(['a', 'b'].map(ask));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
    const late = ['--if-version', String(version), '--reason', 'x', '--json'];
    const { code, stderr } = await outrider('device', 'event', vehicle.id, 'workshop', ...late);
    expect({ code, problem: JSON.parse(stderr).code }).toEqual({ code: 1, problem: 'request.precondition_failed' });
    expect(await report(vehicle.id, 'workshop')).toMatchObject({ state: 'active', in_workshop: true });
  });

  test('knows no operator whom endpoints.json does not name', async () => {
    expect((await outrider('device', 'list', '--as', 'nobody')).code).toBe(2);
  });
});
