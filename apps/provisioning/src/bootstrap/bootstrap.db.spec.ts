import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { issueFactoryDevice, issueVehicle, type Party } from '@outrider/testing';
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
    open: labelPolicy({ renewsFrom: FROM_DEFAULT, bootstrap: 'open' }),
    approve: labelPolicy({ bootstrap: 'approve' }),
    trucks: labelPolicy({ bootstrap: 'open', deviceLabels: ['truck'] }),
    grace: labelPolicy({ renewsFrom: FROM_DEFAULT, expiredGraceSeconds: DAY }),
  });
  registry = registryOf(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

const operator: Registry['operator'] = (...given) => registry.operator(...given);
const items: Registry['items'] = (path) => registry.items(path);

describe('an open label', () => {
  const id = 'demo-motors-dm-newcomer';
  let factory: Party;

  it('registers a device of a known manufacturer with its first certificate', async () => {
    factory = await issueFactoryDevice(suite.fleet, 'newcomer');
    const keys = newKeys();
    expectRefused(
      await est(suite, 'open/simpleenroll', factory, request('newcomer', keys)),
      400,
      'est.csr_name_mismatch',
    );
    expect((await operator('GET', `/v1/devices/${id}`)).status).toBe(404);
    const { certificate } = received(await est(suite, 'open/simpleenroll', factory, request(id, keys)), keys);
    expect(certificate.subjectCommonName).toBe(id);
    expect(await registry.show(id)).toMatchObject({
      state: 'active',
      certificates: [{ thumbprint: certificate.thumbprint }],
    });
    const again = received(await est(suite, 'open/simpleenroll', factory, request(id, keys)), keys);
    expect(again.certificate.thumbprint).toBe(certificate.thumbprint);
  });

  it('takes no other device for it, and nobody at other labels', async () => {
    await operator('POST', '/v1/devices', {
      device_id: 'demo-motors-dm-taken',
      manufacturer: 'demo-motors',
      serial_number: 'OTHER',
    });
    const squatter = await issueFactoryDevice(suite.fleet, 'taken');
    const body = request('demo-motors-dm-taken', newKeys());
    expectRefused(await est(suite, 'open/simpleenroll', squatter, body), 403, 'est.device_unknown');
    const stranger = await issueFactoryDevice(suite.fleet, 'stranger');
    const wanted = request('demo-motors-dm-stranger', newKeys());
    expectRefused(await est(suite, 'grace/simpleenroll', stranger, wanted), 403, 'est.device_unknown');
    expectRefused(await est(suite, 'trucks/simpleenroll', stranger, wanted), 403, 'est.label_refused');
    expect((await operator('GET', '/v1/devices/demo-motors-dm-stranger')).status).toBe(404);
  });

  it('lets two requests of one newcomer at the same time become one device', async () => {
    const twin = await issueFactoryDevice(suite.fleet, 'twin');
    const keys = newKeys();
    const body = request('demo-motors-dm-twin', keys);
    const answers = await Promise.all([1, 2, 3].map(() => est(suite, 'open/simpleenroll', twin, body)));
    const thumbprints = answers.map((answer) => received(answer, keys).certificate.thumbprint);
    expect(new Set(thumbprints).size).toBe(1);
  });
});

describe('a label that asks an operator', () => {
  it.each([
    ['registered', 'device-approve'],
    ['unregistered', 'demo-motors-dm-walkin'],
  ])('holds a %s device until it is approved, request by request', async (_how, id) => {
    const factory = id.startsWith('device')
      ? await registry.registered(id)
      : await issueFactoryDevice(suite.fleet, 'walkin');
    const keys = newKeys();
    const body = request(id, keys);
    const first = await est(suite, 'approve/simpleenroll', factory, body);
    expect({ status: first.status, retry: first.headers['retry-after'] }).toEqual({ status: 202, retry: '1' });
    expect((await est(suite, 'approve/simpleenroll', factory, body)).status).toBe(202);
    const [pending, ...more] = await items(`/v1/enrolments?state=pending&device=${id}`);
    expect(more).toEqual([]);
    const other = request(id, newKeys());
    expect((await est(suite, 'approve/simpleenroll', factory, other)).status).toBe(202);
    const third = await est(suite, 'approve/simpleenroll', factory, request(id, newKeys()));
    expectRefused(third, 429, 'est.approvals_full');
    expect((await operator('POST', `/v1/enrolments/${pending?.id}/approve`)).status).toBe(200);
    const { certificate } = received(await est(suite, 'approve/simpleenroll', factory, body), keys);
    expect((await est(suite, 'approve/simpleenroll', factory, other)).status).toBe(202);
    const retried = received(await est(suite, 'approve/simpleenroll', factory, body), keys);
    expect(retried.certificate.thumbprint).toBe(certificate.thumbprint);
    expect(await items(`/v1/enrolments?state=issued&device=${id}`)).toMatchObject([{ id: pending?.id }]);
    const late = await operator('POST', `/v1/enrolments/${pending?.id}/reject`, { reason: 'too late' });
    expect({ status: late.status, code: JSON.parse(late.body).code }).toEqual({
      status: 409,
      code: 'provisioning.enrolment_conflict',
    });
    expect(await registry.show(id)).toMatchObject({ state: 'active' });
  });

  it('says so when an operator rejects, and has not registered the device', async () => {
    const factory = await issueFactoryDevice(suite.fleet, 'rejected');
    const body = request('demo-motors-dm-rejected', newKeys());
    expect((await est(suite, 'approve/simpleenroll', factory, body)).status).toBe(202);
    const [pending] = await items('/v1/enrolments?state=pending&device=demo-motors-dm-rejected');
    expect((await operator('POST', `/v1/enrolments/${pending?.id}/reject`, {})).status).toBe(400);
    expect((await operator('POST', `/v1/enrolments/${pending?.id}/reject`, { reason: 'unknown to us' })).status).toBe(
      200,
    );
    const answer = await est(suite, 'approve/simpleenroll', factory, body);
    expectRefused(answer, 403, 'est.approval_rejected');
    expect(answer.body).toContain('unknown to us');
    expect((await operator('GET', '/v1/devices/demo-motors-dm-rejected')).status).toBe(404);
  });
});

describe('a lapsed certificate', () => {
  /** Enrolled, then made to have lapsed a minute ago. */
  async function lapsed(id: string): Promise<Party> {
    const enrolled = await registry.enrolled(id);
    const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000);
    const old = await issueVehicle(suite.fleet, DeviceId.parse(id), { notBefore: ago(60), notAfter: ago(1) });
    const { thumbprint, keyThumbprint, serialNumber, notAfter, der } = old.certificate;
    const changed = await suite.app.get(Database).query(
      `UPDATE certificates SET thumbprint = $2, key_thumbprint = $3, serial_number = $4, not_after = $5, der = $6, status = 'live'
       WHERE thumbprint = $1 RETURNING 1`,
      [enrolled.certificate.thumbprint, thumbprint, keyThumbprint, serialNumber, notAfter, Buffer.from(der)],
    );
    expect(changed[0]).toHaveLength(1);
    return old;
  }

  it('renews within the grace of its label, and not at another', async () => {
    const old = await lapsed('device-grace');
    const keys = newKeys();
    const body = request('device-grace', keys);
    const refused = await est(suite, 'open/simplereenroll', old, body);
    expectRefused(refused, 401, 'tls.certificate_expired');
    expect(refused.body).toContain('factory certificate');
    const renewed = received(await est(suite, 'grace/simplereenroll', old, body), keys);
    const again = received(await est(suite, 'grace/simplereenroll', old, body), keys);
    expect(again.certificate.thumbprint).toBe(renewed.certificate.thumbprint);
    await registry.seen('device-grace', renewed.certificate.thumbprint);
    await until(async () => (await registry.statusOf('device-grace', renewed.certificate.thumbprint)) === 'live');
    expectRefused(
      await est(suite, 'grace/simplereenroll', old, request('device-grace', newKeys())),
      403,
      'est.certificate_refused',
    );
  });

  it('does not when it was revoked, or its device is quarantined', async () => {
    const old = await lapsed('device-grace-denied');
    await suite.revocation.deny('certificate', old.certificate.thumbprint);
    const body = request('device-grace-denied', newKeys());
    await until(async () =>
      (await est(suite, 'grace/simplereenroll', old, body)).body.startsWith('denylist.certificate'),
    );
    const held = await lapsed('device-grace-held');
    const at = new Date().toISOString();
    const block = { deviceId: 'device-grace-held', blocked: true, mode: 'recovery', reason: 'test', by: 'op:test', at };
    await registry.publish('gateway', 'gateway.block.changed.v1.device-grace-held', block);
    await until(async () => (await registry.show('device-grace-held')).state === 'quarantined');
    expectRefused(
      await est(suite, 'grace/simplereenroll', held, request('device-grace-held', newKeys())),
      403,
      'est.device_state_refused',
    );
  });
});

describe('a manufacturer', () => {
  it('that was removed vouches for nobody; its history stays, and a PUT brings it back', async () => {
    const factory = await registry.registered('device-orphan');
    const before = await operator('DELETE', '/v1/manufacturers/demo-motors');
    expect({ status: before.status, code: JSON.parse(before.body).code }).toEqual({
      status: 409,
      code: 'provisioning.manufacturer_in_use',
    });
    const fleetVehicle = await registry.enrolled('device-orphan-renews');
    expect((await operator('DELETE', '/v1/manufacturers/demo-motors?force=true')).status).toBe(204);
    expect((await operator('DELETE', '/v1/manufacturers/demo-motors?force=true')).status).toBe(404);
    const keys = newKeys();
    const body = request('device-orphan', keys);
    expectRefused(await est(suite, 'open/simpleenroll', factory, body), 403, 'est.manufacturer_unknown');
    const renewed = await est(suite, 'open/simplereenroll', fleetVehicle, request('device-orphan-renews', newKeys()));
    expect(renewed.status).toBe(200);
    const ca = suite.fleet.factoryCa.certificatePem;
    expect((await operator('PUT', '/v1/manufacturers/demo-motors', { ca })).status).toBe(201);
    received(await est(suite, 'open/simpleenroll', factory, body), keys);
    const history = await suite.app
      .get(Database)
      .query<{ event: string }>('SELECT event FROM manufacturer_history ORDER BY id');
    expect(history.map(({ event }) => event)).toEqual(['registered', 'removed', 'registered']);
  });

  it('that is removed while fleet-ca signs: nothing is handed out', async () => {
    const factory = await registry.registered('device-raced');
    suite.signer.beforeAnswer = async () => {
      suite.signer.beforeAnswer = async () => undefined;
      await operator('DELETE', '/v1/manufacturers/demo-motors?force=true');
    };
    const answer = await est(suite, 'open/simpleenroll', factory, request('device-raced', newKeys()));
    expectRefused(answer, 403, 'est.manufacturer_unknown');
    expect(await registry.show('device-raced')).toMatchObject({ state: 'registered', certificates: [] });
  });
});
