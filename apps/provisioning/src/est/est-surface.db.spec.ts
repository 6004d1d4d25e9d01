import { createPrivateKey, createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { createCertificationRequest, parseCertificate, parseCertsOnlyCms, toPem } from '@outrider/x509';
import { labelPolicy } from '../label/label.fixture.js';
import { EstWire } from './est-wire.fixture.js';
import { expectRefused, opensslRequest, type Registry, registryOf } from './registry.fixture.js';
import { type Answer, newKeys, received, request, run, type Suite, send, startSuite } from './suite.fixture.js';

let suite: Suite;
let registry: Registry;

beforeAll(async () => {
  suite = await startSuite({
    trucks: labelPolicy({ lifetimeSeconds: 1800, keyAlgorithms: ['P-384'] }),
    keygen: labelPolicy({ serverKeyGeneration: true }),
  });
  registry = registryOf(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

type Client = Parameters<typeof send>[2] extends { client?: infer C } | undefined ? C : never;

function at(
  path: string,
  method = 'GET',
  options: { headers?: Record<string, string>; body?: string; client?: Client } = {},
) {
  return send(suite, `${suite.vehicleUrl}/.well-known/est${path}`, { method, ...options });
}

function post(path: string, body: string, client: Client, headers: Record<string, string> = {}): Promise<Answer> {
  return at(path, 'POST', { body, client, headers: { 'content-type': 'application/pkcs10', ...headers } });
}

describe('a label in the path', () => {
  it('decides by which policy a certificate is issued', async () => {
    const factory = await registry.registered('device-truck');
    const wrong = await post('/trucks/simpleenroll', request('device-truck', newKeys()), factory);
    expectRefused(wrong, 400, 'est.csr_key_refused');
    const { pem } = await opensslRequest('device-truck', 'ec:P-384');
    const answer = await post('/trucks/simpleenroll', pem, factory);
    expect(answer.status).toBe(200);
    const certificate = parseCertificate(parseCertsOnlyCms(answer.body)[0]!);
    const seconds = (certificate.notAfter.getTime() - certificate.notBefore.getTime()) / 1000;
    expect(seconds).toBeGreaterThan(1700);
    expect(seconds).toBeLessThan(2000);
  });

  it('is asked for its CAs and its attributes like the default', async () => {
    const [plain, labelled] = [await at('/cacerts'), await at('/trucks/cacerts')];
    expect([labelled.status, labelled.body]).toEqual([200, plain.body]);
    const attributes = await at('/trucks/csrattrs');
    expect([attributes.status, attributes.headers['content-type']]).toEqual([200, 'application/csrattrs']);
    const der = Buffer.from(attributes.body, 'base64').toString('hex');
    expect(der).toBe('301e301206072a8648ce3d0201310706052b8104002206082a8648ce3d040303');
  });

  test.each(['cacerts', 'csrattrs', 'simpleenroll', 'simplereenroll', 'serverkeygen'])(
    'that nobody configured is 404 for %s',
    async (operation) => {
      const method = operation.startsWith('c') ? 'GET' : 'POST';
      for (const name of ['nobody', 'constructor', 'simpleenroll', 'UPPER']) {
        expectRefused(await at(`/${name}/${operation}`, method), 404, 'est.label_unknown');
      }
    },
  );
});

describe('csrattrs', () => {
  it('is 204 without a body where there is nothing to say', async () => {
    const answer = await at('/csrattrs');
    expect([answer.status, answer.body, answer.headers['content-type']]).toEqual([204, '', undefined]);
  });
});

describe('what never reaches a handler is text with a code', () => {
  it('another path', async () => {
    for (const path of ['', '/', '/fullcmc', '/trucks', '/a/b/c', '/simpleenroll/']) {
      expectRefused(await at(path), 404, 'request.not_found');
    }
  });

  it('a path that the router itself refuses', async () => {
    expectRefused(await at(`/${'a'.repeat(257)}/cacerts`), 404, 'request.not_found');
    expectRefused(await at('/%ff/cacerts'), 400, 'request.malformed');
  });

  it('another method, with those allowed', async () => {
    for (const [path, method, allow] of [
      ['/simpleenroll', 'GET', 'POST'],
      ['/trucks/simplereenroll', 'GET', 'POST'],
      ['/serverkeygen', 'PUT', 'POST'],
      ['/cacerts', 'POST', 'GET, HEAD'],
      ['/csrattrs', 'DELETE', 'GET, HEAD'],
    ] as const) {
      const answer = await at(path, method);
      expectRefused(answer, 405, 'request.method_not_allowed');
      expect(answer.headers.allow).toBe(allow);
    }
  });

  it('an encoded body, one that is too large', async () => {
    const encoded = await post('/simpleenroll', 'x', undefined, { 'content-encoding': 'gzip' });
    expectRefused(encoded, 415, 'request.unsupported_media_type');
    const wire = await EstWire.open(suite);
    const announced = { 'Content-Length': '1048577', Expect: '100-continue' };
    const large = await wire.post('simpleenroll', '', announced);
    expectRefused(large, 413, 'request.too_large');
    wire.close();
  });
});

describe('a request is taken', () => {
  it('as clients write it: types with parameters in any case, any transfer encoding, lines of any length, PEM, DER', async () => {
    const factory = await registry.registered('device-forms');
    const { pem } = await opensslRequest('device-forms', 'ec:P-256');
    const base64 = pem.replace(/-----[A-Z ]+-----|\n/g, '');
    const forms: [string, string, Record<string, string>][] = [
      ['one line', base64, {}],
      ['lines of 64', base64.replace(/.{64}/g, '$&\n'), { 'user-agent': 'libest 3.2.0' }],
      ['lines of 76 with CRLF', base64.replace(/.{76}/g, '$&\r\n'), { 'content-transfer-encoding': 'base64' }],
      ['PEM', pem, { 'content-transfer-encoding': '7bit' }],
      ['an odd type', base64, { 'content-type': 'Application/PKCS10 ; charset=us-ascii' }],
      ['whatever is accepted', base64, { accept: 'text/html', 'content-transfer-encoding': 'quoted-printable' }],
    ];
    const serials = new Set<string>();
    for (const [name, body, headers] of forms) {
      const answer = await post('/simpleenroll', body, factory, headers);
      expect([name, answer.status]).toEqual([name, 200]);
      serials.add(parseCertificate(parseCertsOnlyCms(answer.body)[0]!).serialNumber);
    }
    // The same key each time: a retry.
    expect(serials.size).toBe(1);
  });

  it('in chunks, over HTTP/1.0, and after 100 Continue', async () => {
    const factory = await registry.registered('device-wire');
    const body = request('device-wire', newKeys());
    const wire = await EstWire.open(suite, factory);
    const path = '/.well-known/est/simpleenroll';
    const type = 'Content-Type: application/pkcs10\r\n';
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const chunked = await wire.ask(
      `POST ${path} HTTP/1.1\r\nHost: x\r\n${type}Transfer-Encoding: chunked\r\n\r\n${chunk}`,
    );
    const continued = await wire.post('simpleenroll', body, { Expect: '100-continue' });
    const old = await wire.ask(`POST ${path} HTTP/1.0\r\n${type}Content-Length: ${body.length}\r\n\r\n${body}`);
    wire.close();
    for (const answer of [chunked, continued, old]) {
      expect(answer.status).toBe(200);
      expect(answer.headers['content-length']).toBe(String(answer.body.length));
      expect(answer.headers['transfer-encoding']).toBeUndefined();
      expect(answer.headers['content-type']).toBe('application/pkcs7-mime; smime-type=certs-only');
    }
    expect(old.body).toBe(chunked.body);
  });

  it('and answered in the lines that the client reads', async () => {
    const lines = async (headers: Record<string, string>) =>
      (await at('/cacerts', 'GET', { headers })).body.trimEnd().split('\n');
    expect(await lines({})).toHaveLength(1);
    for (const agent of ['libest 3.2.0', 'curl/7.88.1']) {
      const all = await lines({ 'user-agent': agent });
      expect(all.length).toBeGreaterThan(10);
      expect(all.slice(0, -1).every((line) => line.length === 64)).toBe(true);
    }
  });
});

describe('a request is refused', () => {
  it('with a short text and a code, whatever is wrong with it', async () => {
    const factory = await registry.registered('device-bad');
    const good = request('device-bad', newKeys());
    const der = Buffer.from(good, 'base64');
    const large = Buffer.alloc(17 * 1024, 0x30).toString('base64');
    const cases: [string, number, string][] = [
      ['', 400, 'est.csr_malformed'],
      ['!!!!', 400, 'est.csr_malformed'],
      [`${good}AAAA`, 400, 'est.csr_malformed'],
      [Buffer.concat([der, Buffer.from('trailing')]).toString('base64'), 400, 'est.csr_malformed'],
      [large, 413, 'request.too_large'],
      ['A'.repeat(1_000_000), 413, 'request.too_large'],
    ];
    for (const [body, status, code] of cases) {
      expectRefused(await post('/simpleenroll', body, factory), status, code);
    }
    const type = await post('/simpleenroll', good, factory, { 'content-type': 'application/json' });
    expectRefused(type, 415, 'request.unsupported_media_type');
    expect((await post('/simpleenroll', good, factory)).status).toBe(200);
  });

  it('with 401 and how to authenticate, before anybody looks at it', async () => {
    const answer = await post('/simpleenroll', 'nothing', undefined);
    expectRefused(answer, 401, 'est.certificate_required');
    expect(answer.headers['www-authenticate']).toBe('ClientCertificate realm="est"');
  });
});

describe('serverkeygen', () => {
  it('is off unless the label allows it', async () => {
    const factory = await registry.registered('device-keygen-off');
    const body = request('device-keygen-off', newKeys());
    expectRefused(await post('/serverkeygen', body, factory), 403, 'est.server_key_generation_off');
  });

  it('makes a key, whatever key and signature the request has, and sends it with its certificate once', async () => {
    const factory = await registry.registered('device-keygen');
    const der = Buffer.from(request('device-keygen', newKeys()), 'base64');
    der[der.length - 1]! ^= 1;
    const answer = await post('/keygen/serverkeygen', der.toString('base64'), factory);
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
    const first = taken(await post('/keygen/serverkeygen', body, factory));
    const client = {
      certificatePem: toPem(first.certificate.der, 'CERTIFICATE'),
      privateKeyPem: first.key.export({ type: 'pkcs8', format: 'pem' }) as string,
    };
    const second = taken(await post('/keygen/serverkeygen', body, client));
    expect(second.certificate.keyThumbprint).not.toBe(first.certificate.keyThumbprint);
    const keys = newKeys();
    const own = received(await post('/keygen/simplereenroll', request('device-keygen-again', keys), client), keys);
    expect(own.certificate.subjectCommonName).toBe('device-keygen-again');
  });

  it('refuses to encrypt a key, a name that is not the device’s, and whoever asks to be a CA', async () => {
    const factory = await registry.registered('device-keygen-no');
    const ask = (body: string) => post('/keygen/serverkeygen', body, factory);
    expectRefused(await ask(request('device-other', newKeys())), 400, 'est.csr_name_mismatch');
    const { pem } = await opensslRequest('device-keygen-no', 'ec:P-256', ['-addext', 'basicConstraints=CA:TRUE']);
    expectRefused(await ask(pem), 400, 'est.csr_authority_refused');
    const wrapped = withAttribute('device-keygen-no', Buffer.from('060b2a864886f70d0109100225', 'hex'));
    expectRefused(await ask(wrapped), 400, 'est.key_encryption_unsupported');
    expectRefused(await ask('garbage'), 400, 'est.csr_malformed');
    expectRefused(
      await post('/keygen/serverkeygen', request('device-keygen-no', newKeys()), undefined),
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
