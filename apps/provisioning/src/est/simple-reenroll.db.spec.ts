import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { vehicleCertificateGet } from '@outrider/contracts';
import { DeviceId } from '@outrider/ids';
import { createTestFleet, issueVehicle } from '@outrider/testing';
import { parseCertificate } from '@outrider/x509';
import { expectRefused, type Registry, refOf, registryOf } from './registry.fixture.js';
import { est, newKeys, received, request, type Suite, startSuite, until } from './suite.fixture.js';

let suite: Suite;
let registry: Registry;

beforeAll(async () => {
  suite = await startSuite();
  registry = registryOf(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

describe('simplereenroll', () => {
  it('renews, overlaps from the first use, and supersedes the old one after it', async () => {
    const old = await registry.enrolled('device-renew');
    const keys = newKeys();
    const renew = async () => received(await est(suite, 'simplereenroll', old, request('device-renew', keys)), keys);
    const renewed = await renew();
    expect((await renew()).certificate.thumbprint).toBe(renewed.certificate.thumbprint);
    expect(await registry.statusOf('device-renew', old.certificate.thumbprint)).toBe('live');
    expect(await registry.statusOf('device-renew', renewed.certificate.thumbprint)).toBe('pending');
    await registry.seen('device-renew', renewed.certificate.thumbprint);
    await until(async () => (await registry.statusOf('device-renew', renewed.certificate.thumbprint)) === 'live');
    expect(await registry.statusOf('device-renew', old.certificate.thumbprint)).toBe('live');
    await until(async () => (await registry.statusOf('device-renew', old.certificate.thumbprint)) === 'superseded');
    const answer = await est(suite, 'simplereenroll', old, request('device-renew', newKeys()));
    expectRefused(answer, 403, 'est.certificate_refused');
    const next = received(await est(suite, 'simplereenroll', renewed, request('device-renew', keys)), keys);
    expect(next.certificate.thumbprint).not.toBe(renewed.certificate.thumbprint);
  });

  it('replaces an unused successor by another key', async () => {
    const old = await registry.enrolled('device-replace');
    const renew = async () => {
      const keys = newKeys();
      return received(await est(suite, 'simplereenroll', old, request('device-replace', keys)), keys);
    };
    const [unused, kept] = [await renew(), await renew()];
    expect(await registry.statusOf('device-replace', unused.certificate.thumbprint)).toBe('superseded');
    expect(await registry.statusOf('device-replace', kept.certificate.thumbprint)).toBe('pending');
    const answer = await est(suite, 'simplereenroll', unused, request('device-replace', newKeys()));
    expectRefused(answer, 403, 'est.certificate_refused');
  });

  it('refuses certificates of others, of the factory, unknown and revoked ones', async () => {
    const mine = await registry.enrolled('device-mine');
    const keys = newKeys();
    const ask = (client: Parameters<typeof est>[2], name = 'device-mine') =>
      est(suite, 'simplereenroll', client, request(name, keys));
    expectRefused(await ask(undefined), 401, 'est.certificate_required');
    await registry.seen('device-mine', mine.certificate.thumbprint);
    await until(async () => (await registry.statusOf('device-mine', mine.certificate.thumbprint)) === 'live');
    expectRefused(await ask(mine.factory), 403, 'est.certificate_refused');
    expectRefused(await ask(mine, 'device-first'), 400, 'est.csr_name_mismatch');
    const forged = await issueVehicle(await createTestFleet(), DeviceId.parse('device-mine'));
    expectRefused(await ask(forged), 403, 'est.manufacturer_unknown');
    const unknown = await issueVehicle(suite.fleet, DeviceId.parse('device-mine'));
    expectRefused(await ask(unknown), 403, 'est.certificate_refused');
    const minute = 60_000;
    const times = { notBefore: new Date(Date.now() - 60 * minute), notAfter: new Date(Date.now() - minute) };
    const lapsed = await issueVehicle(suite.fleet, DeviceId.parse('device-mine'), times);
    expectRefused(await ask(lapsed), 401, 'tls.certificate_expired');
    const revoked = {
      ref: refOf(mine, 'device-mine'),
      reason: 'keyCompromise',
      revokedAt: new Date().toISOString(),
      revokedBy: 'test',
    };
    await registry.publish('revocation', 'revocation.certificate.revoked.v1', revoked);
    await until(async () => (await registry.show('device-mine')).state === 'awaiting_recovery');
    expect(await registry.statusOf('device-mine', mine.certificate.thumbprint)).toBe('revoked');
    expectRefused(await ask(mine), 403, 'est.device_state_refused');
    const again = await est(suite, 'simpleenroll', mine.factory, request('device-mine', newKeys()));
    expectRefused(again, 403, 'est.certificate_refused');
  });
});

describe('out of service', () => {
  it('follows a block and its end, whichever comes late', async () => {
    const vehicle = await registry.enrolled('device-blocked');
    const change = (blocked: boolean, at: string) =>
      registry.publish('gateway', 'gateway.block.changed.v1.device-blocked', {
        deviceId: 'device-blocked',
        blocked,
        reason: 'test',
        by: 'op',
        at,
      });
    await change(true, '2026-03-01T12:00:00.000Z');
    await until(async () => (await registry.show('device-blocked')).state === 'quarantined');
    const answer = await est(suite, 'simplereenroll', vehicle, request('device-blocked', newKeys()));
    expectRefused(answer, 403, 'est.device_state_refused');
    await change(false, '2026-03-01T12:00:05.000Z');
    await until(async () => (await registry.show('device-blocked')).state === 'active');
    await change(true, '2026-03-01T12:00:02.000Z');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await registry.show('device-blocked')).state).toBe('active');
  });

  it('follows the revocation of a device', async () => {
    await registry.enrolled('device-gone');
    const payload = {
      deviceId: 'device-gone',
      reason: 'cessationOfOperation',
      revokedAt: new Date().toISOString(),
      revokedBy: 'test',
    };
    await registry.publish('revocation', 'revocation.device.revoked.v1.device-gone', payload);
    await until(async () => (await registry.show('device-gone')).state === 'awaiting_recovery');
  });
});

describe('what other services ask', () => {
  it('says whose a certificate is', async () => {
    const { certificate } = await registry.enrolled('device-asked');
    const telemetry = await suite.nats.connectAs('telemetry');
    const ask = async (thumbprint: string) =>
      (await telemetry.request(vehicleCertificateGet.subject, JSON.stringify({ thumbprint }))).json() as {
        ok?: { deviceId: string; status: string; certificate: string };
        error?: { code: string };
      };
    const { ok } = await ask(certificate.thumbprint);
    expect(ok).toMatchObject({ deviceId: 'device-asked', status: 'pending' });
    expect(parseCertificate(ok?.certificate ?? '').thumbprint).toBe(certificate.thumbprint);
    expect((await ask('A'.repeat(43))).error?.code).toBe('provisioning.certificate_not_found');
    await telemetry.close();
  });
});
