import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Database } from '@outrider/platform/postgres';
import { expectRefused, type Registry, registryOf } from '../est/registry.fixture.js';
import { est, newKeys, received, request, type Suite, startSuite, until } from '../est/suite.fixture.js';
import { labelPolicy } from '../label/label.fixture.js';
import { DEFAULT_LABEL } from '../label/label.js';

const DAY = 86_400;
const FROM_DEFAULT = [DEFAULT_LABEL];
let suite: Suite;
let registry: Registry;

beforeAll(async () => {
  suite = await startSuite({
    grace: labelPolicy({ renewsFrom: FROM_DEFAULT, expiredGraceSeconds: DAY }),
    strict: labelPolicy({ renewsFrom: FROM_DEFAULT, cloneDetection: 'quarantine', overlapSeconds: 600 }),
  });
  registry = registryOf(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

const items: Registry['items'] = (path) => registry.items(path);
const findings = (device: string) => items(`/v1/findings?device=${device}`);

describe('a finding', () => {
  const inUse = async (id: string, thumbprint: string) => {
    await registry.seen(id, thumbprint);
    await until(async () => (await registry.statusOf(id, thumbprint)) === 'live');
  };

  it('a factory certificate while a fleet certificate is in use: once, however often, and no quarantine by default', async () => {
    const { factory, certificate } = await registry.enrolled('device-found');
    await inUse('device-found', certificate.thumbprint);
    for (let i = 0; i < 3; i += 1) {
      const answer = await est(suite, 'grace/simpleenroll', factory, request('device-found', newKeys()));
      expectRefused(answer, 403, 'est.certificate_refused');
    }
    expect(await findings('device-found')).toMatchObject([
      { kind: 'factory_certificate_while_live', certain: true, quarantined: false },
    ]);
    expect(await registry.show('device-found')).toMatchObject({ state: 'active' });
    expect(await items('/v1/findings?kind=key_reused&device=device-found')).toEqual([]);
  });

  it('quarantines by the label of the certificate in use too, whatever label a clone asks at', async () => {
    const factory = await registry.registered('device-guarded');
    const keys = newKeys();
    const answer = await est(suite, 'strict/simpleenroll', factory, request('device-guarded', keys));
    await inUse('device-guarded', received(answer, keys).certificate.thumbprint);
    const clone = await est(suite, 'grace/simpleenroll', factory, request('device-guarded', newKeys()));
    expectRefused(clone, 403, 'est.certificate_refused');
    expect(await registry.show('device-guarded')).toMatchObject({ state: 'quarantined' });
  });

  it('the same under a policy that quarantines: the device is held in the same transaction, and again after an operator let it go', async () => {
    const { factory, certificate } = await registry.enrolled('device-strict');
    await inUse('device-strict', certificate.thumbprint);
    const thief = () => est(suite, 'strict/simpleenroll', factory, request('device-strict', newKeys()));
    expectRefused(await thief(), 403, 'est.certificate_refused');
    expect(await registry.show('device-strict')).toMatchObject({ state: 'quarantined' });
    expect(await findings('device-strict')).toMatchObject([{ certain: true, quarantined: true }]);
    expectRefused(await thief(), 403, 'est.device_state_refused');
    expect(await findings('device-strict')).toHaveLength(1);
  });

  it('overlapping renewals: two keys while the successor is in use', async () => {
    const old = await registry.enrolled('device-overlap');
    const [mine, theirs] = [newKeys(), newKeys()];
    const renew = (keys: typeof mine) => est(suite, 'strict/simplereenroll', old, request('device-overlap', keys));
    const renewed = received(await renew(mine), mine);
    await inUse('device-overlap', renewed.certificate.thumbprint);
    // A late retry of the vehicle itself.
    expect(received(await renew(mine), mine).certificate.thumbprint).toBe(renewed.certificate.thumbprint);
    expect(await findings('device-overlap')).toEqual([]);
    expectRefused(await renew(theirs), 403, 'est.certificate_refused');
    expect(await findings('device-overlap')).toMatchObject([
      { kind: 'overlapping_renewals', certain: true, quarantined: true },
    ]);
    expect(await registry.show('device-overlap')).toMatchObject({ state: 'quarantined' });
  });

  it('a lost answer and another key is served, and no more than suspicious', async () => {
    const old = await registry.enrolled('device-lossy');
    for (const keys of [newKeys(), newKeys()]) {
      received(await est(suite, 'strict/simplereenroll', old, request('device-lossy', keys)), keys);
    }
    expect(await findings('device-lossy')).toMatchObject([
      { kind: 'overlapping_renewals', certain: false, quarantined: false },
    ]);
    expect(await registry.show('device-lossy')).toMatchObject({ state: 'active' });
  });

  it('a key of another device', async () => {
    const other = await registry.enrolled('device-keyholder');
    const factory = await registry.registered('device-keythief');
    const { createPrivateKey, createPublicKey } = await import('node:crypto');
    const privateKey = createPrivateKey(other.privateKeyPem);
    const body = request('device-keythief', { privateKey, publicKey: createPublicKey(privateKey) });
    expectRefused(await est(suite, 'strict/simpleenroll', factory, body), 400, 'est.csr_key_refused');
    expect(await findings('device-keythief')).toMatchObject([{ kind: 'key_reused', certain: true, quarantined: true }]);
    expect(await findings('device-keyholder')).toEqual([]);
  });

  it('a denied certificate: a finding, and no quarantine, since its own vehicle may not know', async () => {
    const old = await registry.enrolled('device-denied');
    await suite.revocation.deny('certificate', old.certificate.thumbprint);
    const body = request('device-denied', newKeys());
    await until(async () =>
      (await est(suite, 'strict/simplereenroll', old, body)).body.startsWith('denylist.certificate'),
    );
    await until(async () => (await findings('device-denied')).length > 0);
    expect(await findings('device-denied')).toMatchObject([
      { kind: 'revoked_identity_used', certain: false, quarantined: false },
    ]);
  });

  it('cannot be changed or deleted by the service', async () => {
    const database = suite.app.get(Database);
    await expect(database.query('DELETE FROM findings')).rejects.toThrow();
    await expect(database.query(`UPDATE findings SET detail = ''`)).rejects.toThrow();
  });
});
