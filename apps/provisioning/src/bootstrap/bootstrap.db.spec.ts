import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { issueFactoryDevice, issueVehicle, type Party } from '@outrider/testing';
import { expectRefused, type Registry, registryOf } from '../est/registry.fixture.js';
import { type Answer, newKeys, received, request, type Suite, send, startSuite, until } from '../est/suite.fixture.js';
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
    strict: labelPolicy({ renewsFrom: FROM_DEFAULT, cloneDetection: 'quarantine', overlapSeconds: 600 }),
  });
  registry = registryOf(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

function ask(label: string, operation: string, client: Pick<Party, 'certificatePem' | 'privateKeyPem'>, body: string) {
  const headers = { 'content-type': 'application/pkcs10', 'user-agent': 'test' };
  return send(suite, `${suite.vehicleUrl}/.well-known/est/${label}/${operation}`, {
    method: 'POST',
    headers,
    body,
    client,
  });
}

async function operator(method: string, path: string, body?: object): Promise<Answer> {
  const authorization = `Bearer ${suite.operatorToken('device:read device:write')}`;
  const headers = { authorization, ...(body ? { 'content-type': 'application/json' } : {}) };
  return send(suite, `${suite.operatorUrl}${path}`, {
    method,
    headers,
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}

interface Item {
  readonly id: string;
  readonly state: string;
  readonly kind: string;
  readonly certain: boolean;
  readonly quarantined: boolean;
}
async function items(path: string): Promise<Item[]> {
  const answer = await operator('GET', path);
  if (answer.status !== 200) throw new Error(answer.body);
  return (JSON.parse(answer.body) as { items: Item[] }).items;
}
const findings = (device: string) => items(`/v1/findings?device=${device}`);

describe('an open label', () => {
  const id = 'demo-motors-dm-newcomer';
  let factory: Party;

  it('registers a device of a known manufacturer with its first certificate', async () => {
    factory = await issueFactoryDevice(suite.fleet, 'newcomer');
    const keys = newKeys();
    expectRefused(await ask('open', 'simpleenroll', factory, request('newcomer', keys)), 400, 'est.csr_name_mismatch');
    expect((await operator('GET', `/v1/devices/${id}`)).status).toBe(404);
    const { certificate } = received(await ask('open', 'simpleenroll', factory, request(id, keys)), keys);
    expect(certificate.subjectCommonName).toBe(id);
    expect(await registry.show(id)).toMatchObject({
      state: 'active',
      certificates: [{ thumbprint: certificate.thumbprint }],
    });
    const again = received(await ask('open', 'simpleenroll', factory, request(id, keys)), keys);
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
    expectRefused(await ask('open', 'simpleenroll', squatter, body), 403, 'est.device_unknown');
    const stranger = await issueFactoryDevice(suite.fleet, 'stranger');
    const wanted = request('demo-motors-dm-stranger', newKeys());
    expectRefused(await ask('grace', 'simpleenroll', stranger, wanted), 403, 'est.device_unknown');
    expectRefused(await ask('trucks', 'simpleenroll', stranger, wanted), 403, 'est.label_refused');
    expect((await operator('GET', '/v1/devices/demo-motors-dm-stranger')).status).toBe(404);
  });

  it('lets two requests of one newcomer at the same time become one device', async () => {
    const twin = await issueFactoryDevice(suite.fleet, 'twin');
    const keys = newKeys();
    const body = request('demo-motors-dm-twin', keys);
    const answers = await Promise.all([1, 2, 3].map(() => ask('open', 'simpleenroll', twin, body)));
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
    const first = await ask('approve', 'simpleenroll', factory, body);
    expect({ status: first.status, retry: first.headers['retry-after'] }).toEqual({ status: 202, retry: '1' });
    expect((await ask('approve', 'simpleenroll', factory, body)).status).toBe(202);
    const [pending, ...more] = await items(`/v1/enrolments?state=pending&device=${id}`);
    expect(more).toEqual([]);
    const other = request(id, newKeys());
    expect((await ask('approve', 'simpleenroll', factory, other)).status).toBe(202);
    const third = await ask('approve', 'simpleenroll', factory, request(id, newKeys()));
    expectRefused(third, 429, 'est.approvals_full');
    expect((await operator('POST', `/v1/enrolments/${pending?.id}/approve`)).status).toBe(200);
    const { certificate } = received(await ask('approve', 'simpleenroll', factory, body), keys);
    expect((await ask('approve', 'simpleenroll', factory, other)).status).toBe(202);
    const retried = received(await ask('approve', 'simpleenroll', factory, body), keys);
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
    expect((await ask('approve', 'simpleenroll', factory, body)).status).toBe(202);
    const [pending] = await items('/v1/enrolments?state=pending&device=demo-motors-dm-rejected');
    expect((await operator('POST', `/v1/enrolments/${pending?.id}/reject`, {})).status).toBe(400);
    expect((await operator('POST', `/v1/enrolments/${pending?.id}/reject`, { reason: 'unknown to us' })).status).toBe(
      200,
    );
    const answer = await ask('approve', 'simpleenroll', factory, body);
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
    const refused = await ask('open', 'simplereenroll', old, body);
    expectRefused(refused, 401, 'tls.certificate_expired');
    expect(refused.body).toContain('factory certificate');
    const renewed = received(await ask('grace', 'simplereenroll', old, body), keys);
    const again = received(await ask('grace', 'simplereenroll', old, body), keys);
    expect(again.certificate.thumbprint).toBe(renewed.certificate.thumbprint);
    await registry.seen('device-grace', renewed.certificate.thumbprint);
    await until(async () => (await registry.statusOf('device-grace', renewed.certificate.thumbprint)) === 'live');
    expectRefused(
      await ask('grace', 'simplereenroll', old, request('device-grace', newKeys())),
      403,
      'est.certificate_refused',
    );
  });

  it('does not when it was revoked, or its device is quarantined', async () => {
    const old = await lapsed('device-grace-denied');
    await suite.revocation.deny('certificate', old.certificate.thumbprint);
    const body = request('device-grace-denied', newKeys());
    await until(async () => (await ask('grace', 'simplereenroll', old, body)).body.startsWith('denylist.certificate'));
    const held = await lapsed('device-grace-held');
    const at = new Date().toISOString();
    const block = { deviceId: 'device-grace-held', blocked: true, mode: 'recovery', reason: 'test', by: 'op:test', at };
    await registry.publish('gateway', 'gateway.block.changed.v1.device-grace-held', block);
    await until(async () => (await registry.show('device-grace-held')).state === 'quarantined');
    expectRefused(
      await ask('grace', 'simplereenroll', held, request('device-grace-held', newKeys())),
      403,
      'est.device_state_refused',
    );
  });
});

describe('findings', () => {
  const inUse = async (id: string, thumbprint: string) => {
    await registry.seen(id, thumbprint);
    await until(async () => (await registry.statusOf(id, thumbprint)) === 'live');
  };

  it('a factory certificate while a fleet certificate is in use: once, however often, and no quarantine by default', async () => {
    const { factory, certificate } = await registry.enrolled('device-found');
    await inUse('device-found', certificate.thumbprint);
    for (let i = 0; i < 3; i += 1) {
      const answer = await ask('grace', 'simpleenroll', factory, request('device-found', newKeys()));
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
    const answer = await ask('strict', 'simpleenroll', factory, request('device-guarded', keys));
    await inUse('device-guarded', received(answer, keys).certificate.thumbprint);
    const clone = await ask('grace', 'simpleenroll', factory, request('device-guarded', newKeys()));
    expectRefused(clone, 403, 'est.certificate_refused');
    expect(await registry.show('device-guarded')).toMatchObject({ state: 'quarantined' });
  });

  it('the same under a policy that quarantines: the device is held in the same transaction, and again after an operator let it go', async () => {
    const { factory, certificate } = await registry.enrolled('device-strict');
    await inUse('device-strict', certificate.thumbprint);
    const thief = () => ask('strict', 'simpleenroll', factory, request('device-strict', newKeys()));
    expectRefused(await thief(), 403, 'est.certificate_refused');
    expect(await registry.show('device-strict')).toMatchObject({ state: 'quarantined' });
    expect(await findings('device-strict')).toMatchObject([{ certain: true, quarantined: true }]);
    expectRefused(await thief(), 403, 'est.device_state_refused');
    expect(await findings('device-strict')).toHaveLength(1);
  });

  it('overlapping renewals: two keys while the successor is in use', async () => {
    const old = await registry.enrolled('device-overlap');
    const [mine, theirs] = [newKeys(), newKeys()];
    const renew = (keys: typeof mine) => ask('strict', 'simplereenroll', old, request('device-overlap', keys));
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
      received(await ask('strict', 'simplereenroll', old, request('device-lossy', keys)), keys);
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
    expectRefused(await ask('strict', 'simpleenroll', factory, body), 400, 'est.csr_key_refused');
    expect(await findings('device-keythief')).toMatchObject([{ kind: 'key_reused', certain: true, quarantined: true }]);
    expect(await findings('device-keyholder')).toEqual([]);
  });

  it('a denied certificate: a finding, and no quarantine, since its own vehicle may not know', async () => {
    const old = await registry.enrolled('device-denied');
    await suite.revocation.deny('certificate', old.certificate.thumbprint);
    const body = request('device-denied', newKeys());
    await until(async () => (await ask('strict', 'simplereenroll', old, body)).body.startsWith('denylist.certificate'));
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
    expectRefused(await ask('open', 'simpleenroll', factory, body), 403, 'est.manufacturer_unknown');
    const renewed = await ask('open', 'simplereenroll', fleetVehicle, request('device-orphan-renews', newKeys()));
    expect(renewed.status).toBe(200);
    const ca = suite.fleet.factoryCa.certificatePem;
    expect((await operator('PUT', '/v1/manufacturers/demo-motors', { ca })).status).toBe(201);
    received(await ask('open', 'simpleenroll', factory, body), keys);
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
    const answer = await ask('open', 'simpleenroll', factory, request('device-raced', newKeys()));
    expectRefused(answer, 403, 'est.manufacturer_unknown');
    expect(await registry.show('device-raced')).toMatchObject({ state: 'registered', certificates: [] });
  });
});
