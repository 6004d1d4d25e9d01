import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sha256Base64url } from '@outrider/crypto';
import { DeviceId } from '@outrider/ids';
import { createTestFleet, issueFactoryDevice, issueVehicle } from '@outrider/testing';
import { createCertificationRequest } from '@outrider/x509';
import { expectRefused, opensslRequest, type Registry, registryOf } from './registry.fixture.js';
import { est, newKeys, received, request, type Suite, send, startSuite, until } from './suite.fixture.js';

let suite: Suite;
let registry: Registry;

beforeAll(async () => {
  suite = await startSuite();
  registry = registryOf(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

describe('simpleenroll', () => {
  it('gives a registered device its certificate, and makes it active', async () => {
    const { certificate } = await registry.enrolled('device-first');
    expect(certificate.subjectCommonName).toBe('device-first');
    expect(certificate.sanUris).toEqual(['spiffe://fleet.example.com/vehicle/device-first']);
    expect(await registry.show('device-first')).toMatchObject({
      state: 'active',
      version: 2,
      certificates: [{ thumbprint: certificate.thumbprint, status: 'pending' }],
    });
  });

  it('gives the same certificate again when the answer was lost, and another for another key', async () => {
    const factory = await registry.registered('device-lost');
    const keys = newKeys();
    const enrol = async (own = keys) =>
      received(await est(suite, 'simpleenroll', factory, request('device-lost', own)), own).certificate.thumbprint;
    const first = await enrol();
    expect(await enrol()).toBe(first);
    const other = await enrol(newKeys());
    expect(other).not.toBe(first);
    expect(await registry.statusOf('device-lost', first)).toBe('superseded');
    expect(await registry.statusOf('device-lost', other)).toBe('pending');
  });

  it('takes the name from the registry where the request has none', async () => {
    const factory = await registry.registered('device-nameless');
    const keys = newKeys();
    const nameless = createCertificationRequest({ subject: [], ...keys });
    const answer = await est(suite, 'simpleenroll', factory, Buffer.from(nameless).toString('base64'));
    expect(received(answer, keys).certificate.subjectCommonName).toBe('device-nameless');
  });

  it('makes one certificate of two requests at once', async () => {
    const factory = await registry.registered('device-twice');
    const keys = newKeys();
    const body = request('device-twice', keys);
    const answers = await Promise.all(Array.from({ length: 8 }, () => est(suite, 'simpleenroll', factory, body)));
    const thumbprints = new Set(answers.map((answer) => received(answer, keys).certificate.thumbprint));
    expect(thumbprints.size).toBe(1);
    expect((await registry.show('device-twice')).certificates).toHaveLength(1);
  });

  it('keeps one certificate of requests at once with different keys', async () => {
    const factory = await registry.registered('device-many');
    const answers = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const keys = newKeys();
        return received(await est(suite, 'simpleenroll', factory, request('device-many', keys)), keys);
      }),
    );
    expect(new Set(answers.map(({ certificate }) => certificate.thumbprint)).size).toBe(4);
    const statuses = (await registry.show('device-many')).certificates.map(({ status }) => status);
    expect(statuses.filter((status) => status === 'pending')).toHaveLength(1);
    expect(statuses.filter((status) => status === 'superseded')).toHaveLength(3);
  });

  it('refuses the factory certificate while the fleet certificate is in use', async () => {
    const { factory, certificate } = await registry.enrolled('device-again');
    await registry.seen('device-again', certificate.thumbprint);
    await until(async () => (await registry.statusOf('device-again', certificate.thumbprint)) === 'live');
    const answer = await est(suite, 'simpleenroll', factory, request('device-again', newKeys()));
    expectRefused(answer, 403, 'est.certificate_refused');
  });

  it('refuses whoever no manufacturer vouches for', async () => {
    const body = request('device-x', newKeys());
    const nobody = await est(suite, 'simpleenroll', undefined, body);
    expectRefused(nobody, 401, 'est.certificate_required');
    expect(nobody.headers['www-authenticate']).toBeDefined();
    const stranger = await issueFactoryDevice(await createTestFleet(), 'device-first');
    expectRefused(await est(suite, 'simpleenroll', stranger, body), 403, 'est.manufacturer_unknown');
    expectRefused(await est(suite, 'simpleenroll', suite.fleet.factoryCa, body), 403, 'est.manufacturer_unknown');
    const leaf = await issueVehicle(suite.fleet, DeviceId.parse('device-first'));
    expectRefused(await est(suite, 'simpleenroll', leaf, body), 403, 'est.certificate_refused');
    const unregistered = await issueFactoryDevice(suite.fleet, 'device-unregistered');
    expectRefused(await est(suite, 'simpleenroll', unregistered, body), 403, 'est.device_unknown');
    const minute = 60_000;
    const times = { notBefore: new Date(Date.now() - 60 * minute), notAfter: new Date(Date.now() - minute) };
    const expired = await issueFactoryDevice(suite.fleet, 'device-first', times);
    expectRefused(await est(suite, 'simpleenroll', expired, body), 401, 'tls.certificate_expired');
  });

  it('refuses requests for others, weak keys, broken signatures and other content', async () => {
    const factory = await registry.registered('device-csr');
    const ask = (body: string) => est(suite, 'simpleenroll', factory, body);
    expectRefused(await ask(request('device-first', newKeys())), 400, 'est.csr_name_mismatch');
    const own = { subject: 'device-csr', ...newKeys() };
    const other = createCertificationRequest({ ...own, sanUris: ['spiffe://fleet.example.com/vehicle/device-first'] });
    expectRefused(await ask(Buffer.from(other).toString('base64')), 400, 'est.csr_name_mismatch');
    const broken = Buffer.from(createCertificationRequest(own));
    broken[broken.length - 1]! ^= 1;
    expectRefused(await ask(broken.toString('base64')), 400, 'est.csr_signature_invalid');
    expectRefused(await ask('not base64'), 400, 'est.csr_malformed');
    for (const [type, code] of [
      ['rsa:2048', 'est.csr_key_refused'],
      ['ec:secp256k1', 'est.csr_key_refused'],
    ] as const) {
      expectRefused(await ask((await opensslRequest('device-csr', type)).pem), 400, code);
    }
    const ca = await opensslRequest('device-csr', 'ed25519', ['-addext', 'basicConstraints=critical,CA:TRUE']);
    expectRefused(await ask(ca.pem), 400, 'est.csr_authority_refused');
    const headers = { 'content-type': 'text/plain' };
    const url = `${suite.vehicleUrl}/.well-known/est/simpleenroll`;
    const plain = await send(suite, url, { method: 'POST', headers, body: 'x', client: factory });
    expectRefused(plain, 415, 'request.unsupported_media_type');
  });

  it('drops the extras that a request asks for', async () => {
    const factory = await registry.registered('device-extras');
    const extras = [
      '-addext',
      'subjectAltName=DNS:platform.example.com,IP:10.0.0.1',
      '-addext',
      'keyUsage=keyEncipherment',
    ];
    const { pem } = await opensslRequest('device-extras', 'ed25519', extras);
    const { certificate } = received(await est(suite, 'simpleenroll', factory, pem), newKeys());
    expect(certificate.sanDns).toEqual([]);
    expect(certificate.sanIps).toEqual([]);
    expect(certificate.keyUsage).toEqual(['digitalSignature']);
  });

  it('refuses a key that another device holds', async () => {
    const keys = newKeys();
    const [one, two] = [await registry.registered('device-key-1'), await registry.registered('device-key-2')];
    received(await est(suite, 'simpleenroll', one, request('device-key-1', keys)), keys);
    expectRefused(await est(suite, 'simpleenroll', two, request('device-key-2', keys)), 400, 'est.csr_key_refused');
  });

  it('answers 503 with Retry-After while fleet-ca is away, and loses nothing', async () => {
    const factory = await registry.registered('device-away');
    const keys = newKeys();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    suite.signer.beforeAnswer = () => held;
    const before = suite.signer.signed.size;
    try {
      const away = await est(suite, 'simpleenroll', factory, request('device-away', keys));
      expectRefused(away, 503, 'service.upstream_unavailable');
      expect(Number(away.headers['retry-after'])).toBeGreaterThan(0);
      expect((await registry.show('device-away')).state).toBe('registered');
    } finally {
      suite.signer.beforeAnswer = async () => undefined;
      release();
    }
    const { certificate } = received(await est(suite, 'simpleenroll', factory, request('device-away', keys)), keys);
    expect(suite.signer.signed.size).toBe(before + 1);
    expect([...suite.signer.signed.values()].at(-1)?.thumbprint).toBe(certificate.thumbprint);
  });

  it('refuses the denied, before and while the certificate is on its way', async () => {
    const factory = await registry.registered('device-denied');
    const keys = newKeys();
    suite.signer.beforeAnswer = async () => {
      await suite.revocation.deny('device', 'device-denied');
      await new Promise((resolve) => setTimeout(resolve, 300));
    };
    try {
      const answer = await est(suite, 'simpleenroll', factory, request('device-denied', keys));
      expectRefused(answer, 403, 'denylist.device');
    } finally {
      suite.signer.beforeAnswer = async () => undefined;
    }
    expectRefused(await est(suite, 'simpleenroll', factory, request('device-denied', keys)), 403, 'denylist.device');
    const other = await registry.registered('device-denied-key');
    const spent = newKeys();
    const { keyThumbprint } = {
      keyThumbprint: sha256Base64url(spent.publicKey.export({ type: 'spki', format: 'der' })),
    };
    await suite.revocation.deny('key', keyThumbprint);
    await until(async () =>
      (await est(suite, 'simpleenroll', other, request('device-denied-key', spent))).body.startsWith('denylist.key'),
    );
  });
});
