import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { vehicleCertificateGet } from '@outrider/contracts';
import { sha256Base64url } from '@outrider/crypto';
import { DeviceId } from '@outrider/ids';
import { createTestFleet, issueFactoryDevice, issueVehicle, type Party } from '@outrider/testing';
import { createCertificationRequest, parseCertificate, parseCertificates, parseCertsOnlyCms } from '@outrider/x509';
import {
  type Answer,
  est,
  newKeys,
  received,
  request,
  run,
  type Suite,
  send,
  startSuite,
  temporaryDirectory,
  until,
} from './suite.fixture.js';

let suite: Suite;
const pkiHelp = spawnSync('pki', ['--help'], { encoding: 'utf8' });
/** Skipped by its name where strongSwan's pki is not installed or knows no EST. */
const withStrongSwan = `${pkiHelp.stdout}${pkiHelp.stderr}`.includes('--est') ? it : it.skip;

beforeAll(async () => {
  suite = await startSuite();
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

async function operator(
  method: string,
  path: string,
  body?: object,
  scope = 'fleet:read fleet:write',
): Promise<Answer> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${suite.operatorToken(scope)}` };
  return send(suite, `${suite.operatorUrl}${path}`, {
    method,
    headers,
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}

/** A registered device with its factory certificate. */
async function registered(name: string): Promise<Party> {
  const serial_number = `DM-${name.toUpperCase()}`;
  const answer = await operator('POST', '/v1/devices', { device_id: name, manufacturer: 'demo-motors', serial_number });
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.body}`);
  return issueFactoryDevice(suite.fleet, name);
}

async function enrolled(name: string) {
  const factory = await registered(name);
  const keys = newKeys();
  return { factory, ...received(await est(suite, 'simpleenroll', factory, request(name, keys)), keys) };
}

async function show(name: string) {
  return JSON.parse((await operator('GET', `/v1/devices/${name}`)).body) as {
    state: string;
    version: number;
    certificates: { thumbprint: string; status: string }[];
  };
}

const statusOf = async (name: string, thumbprint: string) =>
  (await show(name)).certificates.find((one) => one.thumbprint === thumbprint)?.status;

/** Publishes an event as its owner would. */
async function publish(user: string, subject: string, payload: object): Promise<void> {
  const connection = await suite.nats.connectAs(user);
  connection.publish(subject, JSON.stringify(payload));
  await connection.flush();
  await connection.close();
}

const seen = (name: string, thumbprint: string) =>
  publish('token', `token.certificate.seen.v1.${name}`, {
    deviceId: name,
    thumbprint,
    seenAt: new Date().toISOString(),
  });

function refOf({ certificate }: { certificate: ReturnType<typeof parseCertificate> }, deviceId: string) {
  return {
    deviceId,
    issuerKeyId: certificate.authorityKeyId,
    serialNumber: certificate.serialNumber,
    thumbprint: certificate.thumbprint,
    keyThumbprint: certificate.keyThumbprint,
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
  };
}

function expectRefused(answer: Answer, status: number, code: string): void {
  expect(answer.body).toMatch(new RegExp(`^${code.replaceAll('.', '\\.')}: .+\\n$`));
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toContain('text/plain');
}

describe('cacerts', () => {
  it('gives the chain a vehicle needs, to anyone, with its length', async () => {
    const answer = await send(suite, `${suite.vehicleUrl}/.well-known/est/cacerts`);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/pkcs7-mime; smime-type=certs-only');
    expect(answer.headers['content-length']).toBe(String(answer.body.length));
    const chain = parseCertsOnlyCms(answer.body).map((der) => parseCertificate(der).thumbprint);
    expect(chain).toEqual([suite.fleet.vehicleCa, suite.fleet.root].map(({ certificate }) => certificate.thumbprint));
  });

  it('is read by openssl', async () => {
    const answer = await send(suite, `${suite.vehicleUrl}/.well-known/est/cacerts`, {
      headers: { 'user-agent': 'curl' },
    });
    const pem = `-----BEGIN PKCS7-----\n${answer.body}-----END PKCS7-----\n`;
    const printed = await run('openssl', ['pkcs7', '-print_certs'], pem);
    expect(parseCertificates(printed.stdout.toString())).toHaveLength(2);
  });
});

describe('simpleenroll', () => {
  it('gives a registered device its certificate, and makes it active', async () => {
    const { certificate } = await enrolled('device-first');
    expect(certificate.subjectCommonName).toBe('device-first');
    expect(certificate.sanUris).toEqual(['spiffe://fleet.example.com/vehicle/device-first']);
    expect(await show('device-first')).toMatchObject({
      state: 'active',
      version: 2,
      certificates: [{ thumbprint: certificate.thumbprint, status: 'pending' }],
    });
  });

  it('gives the same certificate again when the answer was lost, and another for another key', async () => {
    const factory = await registered('device-lost');
    const keys = newKeys();
    const enrol = async (own = keys) =>
      received(await est(suite, 'simpleenroll', factory, request('device-lost', own)), own).certificate.thumbprint;
    const first = await enrol();
    expect(await enrol()).toBe(first);
    const other = await enrol(newKeys());
    expect(other).not.toBe(first);
    expect(await statusOf('device-lost', first)).toBe('superseded');
    expect(await statusOf('device-lost', other)).toBe('pending');
  });

  it('makes one certificate of two requests at once', async () => {
    const factory = await registered('device-twice');
    const keys = newKeys();
    const body = request('device-twice', keys);
    const answers = await Promise.all(Array.from({ length: 8 }, () => est(suite, 'simpleenroll', factory, body)));
    const thumbprints = new Set(answers.map((answer) => received(answer, keys).certificate.thumbprint));
    expect(thumbprints.size).toBe(1);
    expect((await show('device-twice')).certificates).toHaveLength(1);
  });

  it('keeps one certificate of requests at once with different keys', async () => {
    const factory = await registered('device-many');
    const answers = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const keys = newKeys();
        return received(await est(suite, 'simpleenroll', factory, request('device-many', keys)), keys);
      }),
    );
    expect(new Set(answers.map(({ certificate }) => certificate.thumbprint)).size).toBe(4);
    const statuses = (await show('device-many')).certificates.map(({ status }) => status);
    expect(statuses.filter((status) => status === 'pending')).toHaveLength(1);
    expect(statuses.filter((status) => status === 'superseded')).toHaveLength(3);
  });

  it('refuses the factory certificate while the fleet certificate is in use', async () => {
    const { factory, certificate } = await enrolled('device-again');
    await seen('device-again', certificate.thumbprint);
    await until(async () => (await statusOf('device-again', certificate.thumbprint)) === 'live');
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
    const factory = await registered('device-csr');
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
    const factory = await registered('device-extras');
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
    const [one, two] = [await registered('device-key-1'), await registered('device-key-2')];
    received(await est(suite, 'simpleenroll', one, request('device-key-1', keys)), keys);
    expectRefused(await est(suite, 'simpleenroll', two, request('device-key-2', keys)), 400, 'est.csr_key_refused');
  });

  it('answers 503 with Retry-After while fleet-ca is away, and loses nothing', async () => {
    const factory = await registered('device-away');
    const keys = newKeys();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    suite.signer.beforeAnswer = () => held;
    const before = suite.signer.signed.size;
    try {
      const away = await est(suite, 'simpleenroll', factory, request('device-away', keys));
      expectRefused(away, 503, 'service.upstream_unavailable');
      expect(Number(away.headers['retry-after'])).toBeGreaterThan(0);
      expect((await show('device-away')).state).toBe('registered');
    } finally {
      suite.signer.beforeAnswer = async () => undefined;
      release();
    }
    const { certificate } = received(await est(suite, 'simpleenroll', factory, request('device-away', keys)), keys);
    expect(suite.signer.signed.size).toBe(before + 1);
    expect([...suite.signer.signed.values()].at(-1)?.thumbprint).toBe(certificate.thumbprint);
  });

  it('refuses the denied, before and while the certificate is on its way', async () => {
    const factory = await registered('device-denied');
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
    const other = await registered('device-denied-key');
    const spent = newKeys();
    const { keyThumbprint } = parseCertificationKey(spent);
    await suite.revocation.deny('key', keyThumbprint);
    await until(async () =>
      (await est(suite, 'simpleenroll', other, request('device-denied-key', spent))).body.startsWith('denylist.key'),
    );
  });
});

describe('simplereenroll', () => {
  it('renews, overlaps from the first use, and supersedes the old one after it', async () => {
    const old = await enrolled('device-renew');
    const keys = newKeys();
    const renew = async () => received(await est(suite, 'simplereenroll', old, request('device-renew', keys)), keys);
    const renewed = await renew();
    expect((await renew()).certificate.thumbprint).toBe(renewed.certificate.thumbprint);
    expect(await statusOf('device-renew', old.certificate.thumbprint)).toBe('live');
    expect(await statusOf('device-renew', renewed.certificate.thumbprint)).toBe('pending');
    await seen('device-renew', renewed.certificate.thumbprint);
    await until(async () => (await statusOf('device-renew', renewed.certificate.thumbprint)) === 'live');
    expect(await statusOf('device-renew', old.certificate.thumbprint)).toBe('live');
    await until(async () => (await statusOf('device-renew', old.certificate.thumbprint)) === 'superseded');
    const answer = await est(suite, 'simplereenroll', old, request('device-renew', newKeys()));
    expectRefused(answer, 403, 'est.certificate_refused');
    const next = received(await est(suite, 'simplereenroll', renewed, request('device-renew', keys)), keys);
    expect(next.certificate.thumbprint).not.toBe(renewed.certificate.thumbprint);
  });

  it('replaces an unused successor by another key', async () => {
    const old = await enrolled('device-replace');
    const renew = async () => {
      const keys = newKeys();
      return received(await est(suite, 'simplereenroll', old, request('device-replace', keys)), keys);
    };
    const [unused, kept] = [await renew(), await renew()];
    expect(await statusOf('device-replace', unused.certificate.thumbprint)).toBe('superseded');
    expect(await statusOf('device-replace', kept.certificate.thumbprint)).toBe('pending');
    const answer = await est(suite, 'simplereenroll', unused, request('device-replace', newKeys()));
    expectRefused(answer, 403, 'est.certificate_refused');
  });

  it('refuses certificates of others, of the factory, unknown and revoked ones', async () => {
    const mine = await enrolled('device-mine');
    const keys = newKeys();
    const ask = (client: Parameters<typeof est>[2], name = 'device-mine') =>
      est(suite, 'simplereenroll', client, request(name, keys));
    expectRefused(await ask(undefined), 401, 'est.certificate_required');
    await seen('device-mine', mine.certificate.thumbprint);
    await until(async () => (await statusOf('device-mine', mine.certificate.thumbprint)) === 'live');
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
    await publish('revocation', 'revocation.certificate.revoked.v1', revoked);
    await until(async () => (await show('device-mine')).state === 'awaiting_recovery');
    expect(await statusOf('device-mine', mine.certificate.thumbprint)).toBe('revoked');
    expectRefused(await ask(mine), 403, 'est.device_state_refused');
    const again = await est(suite, 'simpleenroll', mine.factory, request('device-mine', newKeys()));
    expectRefused(again, 403, 'est.certificate_refused');
  });
});

describe('out of service', () => {
  it('follows a block and its end, whichever comes late', async () => {
    const vehicle = await enrolled('device-blocked');
    const change = (blocked: boolean, at: string) =>
      publish('gateway', 'gateway.block.changed.v1.device-blocked', {
        deviceId: 'device-blocked',
        blocked,
        reason: 'test',
        by: 'op',
        at,
      });
    await change(true, '2026-03-01T12:00:00.000Z');
    await until(async () => (await show('device-blocked')).state === 'quarantined');
    const answer = await est(suite, 'simplereenroll', vehicle, request('device-blocked', newKeys()));
    expectRefused(answer, 403, 'est.device_state_refused');
    await change(false, '2026-03-01T12:00:05.000Z');
    await until(async () => (await show('device-blocked')).state === 'active');
    await change(true, '2026-03-01T12:00:02.000Z');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await show('device-blocked')).state).toBe('active');
  });

  it('follows the revocation of a device', async () => {
    await enrolled('device-gone');
    const payload = {
      deviceId: 'device-gone',
      reason: 'cessationOfOperation',
      revokedAt: new Date().toISOString(),
      revokedBy: 'test',
    };
    await publish('revocation', 'revocation.device.revoked.v1.device-gone', payload);
    await until(async () => (await show('device-gone')).state === 'awaiting_recovery');
  });
});

describe('what other services ask', () => {
  it('says whose a certificate is', async () => {
    const { certificate } = await enrolled('device-asked');
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

describe('other people’s clients', () => {
  it('curl and openssl enrol a device', async () => {
    const factory = await registered('device-curl');
    const directory = temporaryDirectory();
    const { key, pem } = await opensslRequest('device-curl', 'ec:P-256');
    const file = (name: string, content: string) => {
      writeFileSync(join(directory, name), content);
      return join(directory, name);
    };
    const base64 = pem.replace(/-----[A-Z ]+-----/g, '').trim();
    const [trust, certificate, privateKey, body] = [
      file('trust.pem', suite.fleet.root.certificatePem),
      file('factory.crt', factory.certificatePem),
      file('factory.key', factory.privateKeyPem),
      file('request.b64', base64),
    ];
    const { stdout, code } = await run('curl', [
      ...['-sS', '--fail-with-body', '--cacert', trust, '--cert', certificate, '--key', privateKey],
      ...['-H', 'Content-Type: application/pkcs10', '--data-binary', `@${body}`],
      `${suite.vehicleUrl}/.well-known/est/simpleenroll`,
    ]);
    expect({ code, answer: stdout.toString().slice(0, 3) }).toEqual({ code: 0, answer: 'MII' });
    const pkcs7 = `-----BEGIN PKCS7-----\n${stdout.toString()}-----END PKCS7-----\n`;
    const leaf = file('leaf.crt', (await run('openssl', ['pkcs7', '-print_certs'], pkcs7)).stdout.toString());
    const chain = file('chain.pem', suite.fleet.vehicleCa.certificatePem);
    const verified = await run('openssl', [
      'verify',
      '-CAfile',
      trust,
      '-untrusted',
      chain,
      '-purpose',
      'sslclient',
      leaf,
    ]);
    expect(verified.stdout.toString()).toContain('OK');
    const publicKey = await run('openssl', ['pkey', '-pubout'], key);
    expect((await run('openssl', ['x509', '-in', leaf, '-noout', '-pubkey'])).stdout.toString()).toBe(
      publicKey.stdout.toString(),
    );
  });

  withStrongSwan('strongSwan (pki --est) fetches the CAs, enrols and renews', async () => {
    const factory = await registered('device-swan');
    const directory = temporaryDirectory();
    const path = (name: string) => join(directory, name);
    writeFileSync(path('root.pem'), suite.fleet.root.certificatePem);
    writeFileSync(path('infrastructure.pem'), suite.fleet.infrastructureCa.certificatePem);
    writeFileSync(path('factory.crt'), factory.certificatePem);
    writeFileSync(path('factory.key'), factory.privateKeyPem);
    const url = suite.vehicleUrl;
    const trust = ['--cacert', path('root.pem'), '--cacert', path('infrastructure.pem')];
    const fetched = await run('pki', ['--estca', '--url', url, ...trust, '--caout', path('ca.crt')]);
    expect({ code: fetched.code, text: fetched.stderr }).toMatchObject({ code: 0 });
    for (const name of ['one', 'two']) {
      const made = await run('pki', ['--gen', '--type', 'ecdsa', '--size', '256']);
      writeFileSync(path(`${name}.key`), made.stdout);
      const asked = await run('pki', [
        '--req',
        '--type',
        'priv',
        '--in',
        path(`${name}.key`),
        '--dn',
        'CN=device-swan',
      ]);
      writeFileSync(path(`${name}.req`), asked.stdout);
    }
    const ask = async (csr: string, certificate: string, key: string) => {
      const files = ['--in', path(csr), '--cert', path(certificate), '--key', path(key)];
      const { code, stdout, stderr } = await run('pki', [
        '--est',
        '--url',
        url,
        ...trust,
        '--cacert',
        path('vehicle.pem'),
        ...files,
      ]);
      if (code !== 0) throw new Error(stderr);
      return stdout;
    };
    writeFileSync(path('vehicle.pem'), suite.fleet.vehicleCa.certificatePem);
    writeFileSync(path('one.crt'), await ask('one.req', 'factory.crt', 'factory.key'));
    expect(parseCertificate(readFileSync(path('one.crt'))).subjectCommonName).toBe('device-swan');
    const renewed = parseCertificate(await ask('two.req', 'one.crt', 'one.key'));
    expect(renewed.sanUris).toEqual(['spiffe://fleet.example.com/vehicle/device-swan']);
    expect((await show('device-swan')).certificates.map(({ status }) => status)).toEqual(['pending', 'live']);
  });
});

async function opensslRequest(
  name: string,
  type: string,
  extras: string[] = [],
): Promise<{ key: string; pem: string }> {
  const [algorithm, size] = type.split(':') as [string, string?];
  const options =
    algorithm === 'ec'
      ? ['-pkeyopt', `ec_paramgen_curve:${size}`]
      : algorithm === 'rsa'
        ? ['-pkeyopt', `rsa_keygen_bits:${size}`]
        : [];
  const key = (await run('openssl', ['genpkey', '-algorithm', algorithm, ...options])).stdout.toString();
  const file = join(temporaryDirectory(), 'key.pem');
  writeFileSync(file, key);
  const { stdout, stderr } = await run('openssl', ['req', '-new', '-key', file, '-subj', `/CN=${name}`, ...extras]);
  if (stdout.length === 0) throw new Error(stderr);
  return { key, pem: stdout.toString() };
}

function parseCertificationKey(keys: ReturnType<typeof newKeys>): { keyThumbprint: string } {
  return { keyThumbprint: sha256Base64url(keys.publicKey.export({ type: 'spki', format: 'der' })) };
}
