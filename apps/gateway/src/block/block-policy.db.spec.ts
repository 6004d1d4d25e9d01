/** Block and unblock by policies: an explicit forbid refuses, nothing else does. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deviceChanged } from '@outrider/contracts';
import { Policies } from '@outrider/platform/policy';
import { publishEvent, type Suite, startDenylist, startRegistry, startSuite, until } from '../suite.fixture.js';

const DEVICE = 'device-12345';
const AMBULANCE = 'ambulance-1';
const FORBID = `forbid (principal, action == Outrider::Action::"block", resource)
  when { resource.labels.contains("ambulance") };`;
const OVERFLOW = `forbid (principal, action == Outrider::Action::"block", resource)
  when { context.local.weekday + 9223372036854775807 > 0 };`;

let suite: Suite;

beforeAll(async () => {
  suite = await startSuite();
  startDenylist(suite.revocation);
  startRegistry(suite.provisioning, DEVICE, `${'t'.repeat(42)}A`);
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
});
