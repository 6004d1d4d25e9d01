/** Block and unblock by policies: an explicit forbid refuses, nothing else does. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deviceChanged, vehicleCertificateGet } from '@outrider/contracts';
import { Policies } from '@outrider/platform/policy';
import { answer, publishEvent, type Suite, startDenylist, startRegistry, startSuite, until } from '../suite.fixture.js';

const DEVICE = 'device-12345';
const AMBULANCE = 'ambulance-1';
const AMBULANCES = `${'a'.repeat(42)}A`;
const FORBID = `forbid (principal, action == Outrider::Action::"block", resource)
  when { resource.labels.contains("ambulance") };`;
const KEEP = `forbid (principal, action == Outrider::Action::"unblock", resource)
  when { resource.labels.contains("ambulance") };`;
const OVERFLOW = `forbid (principal, action == Outrider::Action::"block", resource)
  when { context.local.weekday + 9223372036854775807 > 0 };`;

let suite: Suite;

beforeAll(async () => {
  suite = await startSuite();
  startDenylist(suite.revocation);
  startRegistry(suite.provisioning, DEVICE, `${'t'.repeat(42)}A`);
  answer(suite.provisioning, vehicleCertificateGet, async ({ thumbprint }: { thumbprint: string }) =>
    thumbprint === AMBULANCES
      ? { ok: { certificate: 'AAAA', deviceId: AMBULANCE, status: 'live' } }
      : { error: { code: 'provisioning.certificate_not_found' } },
  );
  const at = new Date().toISOString();
  const ambulance = {
    deviceId: AMBULANCE,
    state: 'active',
    grants: [],
    attestation: 'none',
    labels: ['ambulance'],
    minEpoch: 0,
  };
  await publishEvent(suite.provisioning, deviceChanged, { ...ambulance, version: 1, changedAt: at }, AMBULANCE);
  const admin = await suite.database.admin();
  await until(async () => (await admin.query('SELECT 1 FROM devices WHERE labels IS NOT NULL')).rowCount === 1);
  await admin.end();
  await until(() => suite.app.get(Policies).version !== undefined);
}, 60_000);
afterAll(async () => {
  await suite?.stop();
});

const block = (device_id: string) => suite.call('POST', '/admin/block', 'gateway:block', { device_id });

/** In place of the policies of the same ids, beside the others. */
async function inForce(more: Record<string, string>) {
  const { body: before } = await suite.call('GET', '/v1/policies', 'policy:read');
  const body = { policies: { ...before.policies, ...more }, reason: 'a test of blocks' };
  const put = await suite.call('PUT', '/v1/policies', 'policy:write', body, { 'if-match': `"${before.version}"` });
  expect(put.status).toBe(200);
  await until(() => suite.app.get(Policies).version === put.body.version);
}

describe('block', () => {
  it('is refused by a policy that forbids it, naming the policy, and only for whom it is meant', async () => {
    await inForce({ 'ambulances-go-on': FORBID });
    expect(await block(AMBULANCE)).toMatchObject({
      status: 403,
      body: { code: 'policy.denied', detail: 'ambulances-go-on', policies: ['ambulances-go-on'] },
    });
    expect((await block(DEVICE)).status).toBe(200);
    const log = `/v1/decisions?code=policy.denied&device=${AMBULANCE}`;
    const logged = async () => (await suite.call('GET', log, 'evidence:read')).body.items;
    await until(async () => (await logged()).length > 0, 20_000);
    expect((await logged())[0]).toMatchObject({
      policies: ['ambulances-go-on'],
      action: 'POST /admin/block',
      subject: expect.stringMatching(/^op:/),
      token_id: expect.any(String),
    });
  });

  it('of a certificate asks for its device, and for none where nobody knows it', async () => {
    await inForce({ 'ambulances-go-on': FORBID });
    const of = (thumbprint: string) => suite.call('POST', '/admin/block', 'gateway:block', { thumbprint });
    expect(await of(AMBULANCES)).toMatchObject({ status: 403, body: { policies: ['ambulances-go-on'] } });
    expect((await of(`${'b'.repeat(42)}A`)).status).toBe(200);
    const free = { thumbprint: AMBULANCES, reason: 'home' };
    expect((await suite.call('POST', '/admin/unblock', 'gateway:block', free)).body.code).toBe('gateway.not_blocked');
    await inForce({ 'ambulances-go-on': KEEP });
    expect((await of(AMBULANCES)).status).toBe(200);
    expect((await suite.call('POST', '/admin/unblock', 'gateway:block', free)).body.code).toBe('policy.denied');
  });

  it('goes through where a policy fails, and an unblock where none permits it', async () => {
    await inForce({ 'ambulances-go-on': 'permit (principal, action, resource);', broken: OVERFLOW });
    expect((await block(AMBULANCE)).status).toBe(200);
    await inForce({
      broken: 'permit (principal, action == Outrider::Action::"dispatch_command", resource);',
      'operators-take-out-of-service': 'permit (principal, action == Outrider::Action::"dispatch_command", resource);',
      'ambulances-go-on': 'permit (principal, action == Outrider::Action::"dispatch_command", resource);',
    });
    expect(
      (await suite.call('POST', '/admin/unblock', 'gateway:block', { device_id: AMBULANCE, reason: 'well' })).status,
    ).toBe(200);
  });

  it('is no unblock: what weakens one needs a reason and the right to lift it', async () => {
    await inForce({ 'ambulances-go-on': KEEP });
    const say = (device_id: string, more: object) =>
      suite.call('POST', '/admin/block', 'gateway:block', { device_id, ...more });
    for (const device of [AMBULANCE, DEVICE]) expect((await say(device, { mode: 'deny' })).status).toBe(200);
    const weaker = [{ mode: 'recovery' }, { mode: 'deny', expires_in: 1 }];
    for (const wish of weaker) {
      expect((await say(AMBULANCE, wish)).body.code).toBe('gateway.reason_required');
      expect((await say(AMBULANCE, { ...wish, reason: 'please' })).body.code).toBe('policy.denied');
    }
    const { items } = (await suite.call('GET', '/v1/blocks?kind=device', 'gateway:block')).body;
    const [kept] = items.filter(({ device_id }: { device_id: string }) => device_id === AMBULANCE);
    expect(kept).toMatchObject({ mode: 'deny' });
    expect(kept.expires_at).toBeUndefined();
    expect((await say(DEVICE, { mode: 'recovery', reason: 'it may come back' })).body).toMatchObject({
      mode: 'recovery',
    });
  });
});
