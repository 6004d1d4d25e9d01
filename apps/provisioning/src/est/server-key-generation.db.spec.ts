import { createPrivateKey, createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createCertificationRequest, parseCertificate, parseCertsOnlyCms, toPem } from '@outrider/x509';
import { labelPolicy } from '../label/label.fixture.js';
import { EstSurface } from './est-surface.fixture.js';
import { expectRefused, opensslRequest, type Registry, registryOf } from './registry.fixture.js';
import { type Answer, newKeys, received, request, run, type Suite, startSuite } from './suite.fixture.js';

let suite: Suite;
let surface: EstSurface;
let registry: Registry;

beforeAll(async () => {
  suite = await startSuite({ keygen: labelPolicy({ serverKeyGeneration: true }) });
  registry = registryOf(suite);
  surface = new EstSurface(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

describe('serverkeygen', () => {
  it('is off unless the label allows it', async () => {
    const factory = await registry.registered('device-keygen-off');
    const body = request('device-keygen-off', newKeys());
    expectRefused(await surface.post('/serverkeygen', body, factory), 403, 'est.server_key_generation_off');
  });

  it('makes a key, whatever key and signature the request has, and sends it with its certificate once', async () => {
    const factory = await registry.registered('device-keygen');
    const der = Buffer.from(request('device-keygen', newKeys()), 'base64');
    der[der.length - 1]! ^= 1;
    const answer = await surface.post('/keygen/serverkeygen', der.toString('base64'), factory);
    expect(answer.status).toBe(200);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['content-length']).toBe(String(answer.body.length));
    const { key, certificate } = taken(answer);
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
    expect(Buffer.from(certificate.spkiDer)).toEqual(spki);
    expect(certificate.subjectCommonName).toBe('device-keygen');
    expect(key.asymmetricKeyType).toBe('ed25519');
    const pem = toPem(key.export({ type: 'pkcs8', format: 'der' }), 'PRIVATE KEY');
    expect((await run('openssl', ['pkey', '-noout', '-check'], pem)).code).toBe(0);
  });

  it('renews too, over the certificate that goes with the key', async () => {
    const factory = await registry.registered('device-keygen-again');
    const body = request('device-keygen-again', newKeys());
    const first = taken(await surface.post('/keygen/serverkeygen', body, factory));
    const client = {
      certificatePem: toPem(first.certificate.der, 'CERTIFICATE'),
      privateKeyPem: first.key.export({ type: 'pkcs8', format: 'pem' }) as string,
    };
    const second = taken(await surface.post('/keygen/serverkeygen', body, client));
    expect(second.certificate.keyThumbprint).not.toBe(first.certificate.keyThumbprint);
    const keys = newKeys();
    const own = received(
      await surface.post('/keygen/simplereenroll', request('device-keygen-again', keys), client),
      keys,
    );
    expect(own.certificate.subjectCommonName).toBe('device-keygen-again');
  });

  it('refuses to encrypt a key, a name that is not the device’s, and whoever asks to be a CA', async () => {
    const factory = await registry.registered('device-keygen-no');
    const ask = (body: string) => surface.post('/keygen/serverkeygen', body, factory);
    expectRefused(await ask(request('device-other', newKeys())), 400, 'est.csr_name_mismatch');
    const { pem } = await opensslRequest('device-keygen-no', 'ec:P-256', ['-addext', 'basicConstraints=CA:TRUE']);
    expectRefused(await ask(pem), 400, 'est.csr_authority_refused');
    const wrapped = withAttribute('device-keygen-no', Buffer.from('060b2a864886f70d0109100225', 'hex'));
    expectRefused(await ask(wrapped), 400, 'est.key_encryption_unsupported');
    expectRefused(await ask('garbage'), 400, 'est.csr_malformed');
    expectRefused(
      await surface.post('/keygen/serverkeygen', request('device-keygen-no', newKeys()), undefined),
      401,
      'est.certificate_required',
    );
  });
});

/** A request with one more attribute: the challenge password's identifier replaced by a DecryptKeyIdentifier's, which breaks its signature. */
function withAttribute(name: string, oid: Buffer): string {
  const der = Buffer.from(createCertificationRequest({ subject: name, ...newKeys(), challengePassword: 'x' }));
  const password = Buffer.from('06092a864886f70d010907', 'hex');
  const index = der.indexOf(password);
  const added = oid.length - password.length;
  const out = Buffer.concat([der.subarray(0, index), oid, der.subarray(index + password.length)]);
  // The four elements around it grow: request, info, attributes, attribute; each has a length of one byte after its tag or after 81.
  for (const at of lengthsAround(der, index)) out[at]! += added;
  return out.toString('base64');
}

function lengthsAround(der: Buffer, index: number): number[] {
  const found: number[] = [];
  for (let at = 0; at < index; ) {
    const long = der[at + 1] === 0x81;
    const content = at + (long ? 3 : 2);
    const length = der[long ? at + 2 : at + 1]!;
    if (index >= content && index < content + length) {
      found.push(content - 1);
      at = content;
    } else at = content + length;
  }
  return found;
}

/** Key and certificate of a multipart answer. */
function taken(answer: Answer) {
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`);
  const boundary = /^multipart\/mixed; boundary=(\w+)$/.exec(String(answer.headers['content-type']))?.[1];
  const parts = answer.body.split(`--${boundary}`).slice(1, -1);
  const [key, certificates] = parts.map((part) => {
    const [head = '', body = ''] = part.trim().split('\r\n\r\n', 2);
    expect(head).toMatch(/^Content-Transfer-Encoding: base64$/m);
    return { type: /^Content-Type: (.*?)\r?$/m.exec(head)?.[1], body };
  });
  expect([key?.type, certificates?.type]).toEqual([
    'application/pkcs8',
    'application/pkcs7-mime; smime-type=certs-only',
  ]);
  const der = Buffer.from(key!.body, 'base64');
  const [certificate, ...more] = parseCertsOnlyCms(certificates!.body);
  expect(more).toHaveLength(0);
  return {
    key: createPrivateKey({ key: der, type: 'pkcs8', format: 'der' }),
    certificate: parseCertificate(certificate!),
  };
}
