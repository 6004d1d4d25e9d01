import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { parseCertificate, parseCertsOnlyCms } from '@outrider/x509';
import { labelPolicy } from '../label/label.fixture.js';
import { EstSurface } from './est-surface.fixture.js';
import { EstWire } from './est-wire.fixture.js';
import { expectRefused, opensslRequest, type Registry, registryOf } from './registry.fixture.js';
import { newKeys, request, type Suite, startSuite } from './suite.fixture.js';

let suite: Suite;
let surface: EstSurface;
let registry: Registry;

beforeAll(async () => {
  suite = await startSuite({
    trucks: labelPolicy({ lifetimeSeconds: 1800, keyAlgorithms: ['P-384'] }),
  });
  registry = registryOf(suite);
  surface = new EstSurface(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

describe('a label in the path', () => {
  it('decides by which policy a certificate is issued', async () => {
    const factory = await registry.registered('device-truck');
    const wrong = await surface.post('/trucks/simpleenroll', request('device-truck', newKeys()), factory);
    expectRefused(wrong, 400, 'est.csr_key_refused');
    const { pem } = await opensslRequest('device-truck', 'ec:P-384');
    const answer = await surface.post('/trucks/simpleenroll', pem, factory);
    expect(answer.status).toBe(200);
    const certificate = parseCertificate(parseCertsOnlyCms(answer.body)[0]!);
    const seconds = (certificate.notAfter.getTime() - certificate.notBefore.getTime()) / 1000;
    expect(seconds).toBeGreaterThan(1700);
    expect(seconds).toBeLessThan(2000);
  });

  it('is asked for its CAs and its attributes like the default', async () => {
    const [plain, labelled] = [await surface.at('/cacerts'), await surface.at('/trucks/cacerts')];
    expect([labelled.status, labelled.body]).toEqual([200, plain.body]);
    const attributes = await surface.at('/trucks/csrattrs');
    expect([attributes.status, attributes.headers['content-type']]).toEqual([200, 'application/csrattrs']);
    const der = Buffer.from(attributes.body, 'base64').toString('hex');
    expect(der).toBe('301e301206072a8648ce3d0201310706052b8104002206082a8648ce3d040303');
  });

  test.each(['cacerts', 'csrattrs', 'simpleenroll', 'simplereenroll', 'serverkeygen'])(
    'that nobody configured is 404 for %s',
    async (operation) => {
      const method = operation.startsWith('c') ? 'GET' : 'POST';
      for (const name of ['nobody', 'constructor', 'simpleenroll', 'UPPER']) {
        expectRefused(await surface.at(`/${name}/${operation}`, method), 404, 'est.label_unknown');
      }
    },
  );
});

describe('csrattrs', () => {
  it('is 204 without a body where there is nothing to say', async () => {
    const answer = await surface.at('/csrattrs');
    expect([answer.status, answer.body, answer.headers['content-type']]).toEqual([204, '', undefined]);
  });
});

describe('what never reaches a handler is text with a code', () => {
  it('another path', async () => {
    for (const path of ['', '/', '/fullcmc', '/trucks', '/a/b/c', '/simpleenroll/']) {
      expectRefused(await surface.at(path), 404, 'request.not_found');
    }
  });

  it('a path that the router itself refuses', async () => {
    expectRefused(await surface.at(`/${'a'.repeat(257)}/cacerts`), 404, 'request.not_found');
    expectRefused(await surface.at('/%ff/cacerts'), 400, 'request.malformed');
  });

  it('another method, with those allowed', async () => {
    for (const [path, method, allow] of [
      ['/simpleenroll', 'GET', 'POST'],
      ['/trucks/simplereenroll', 'GET', 'POST'],
      ['/serverkeygen', 'PUT', 'POST'],
      ['/cacerts', 'POST', 'GET, HEAD'],
      ['/csrattrs', 'DELETE', 'GET, HEAD'],
    ] as const) {
      const answer = await surface.at(path, method);
      expectRefused(answer, 405, 'request.method_not_allowed');
      expect(answer.headers.allow).toBe(allow);
    }
  });

  it('an encoded body, one that is too large', async () => {
    const encoded = await surface.post('/simpleenroll', 'x', undefined, { 'content-encoding': 'gzip' });
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
      const answer = await surface.post('/simpleenroll', body, factory, headers);
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
      (await surface.at('/cacerts', 'GET', { headers })).body.trimEnd().split('\n');
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
      expectRefused(await surface.post('/simpleenroll', body, factory), status, code);
    }
    const type = await surface.post('/simpleenroll', good, factory, { 'content-type': 'application/json' });
    expectRefused(type, 415, 'request.unsupported_media_type');
    expect((await surface.post('/simpleenroll', good, factory)).status).toBe(200);
  });

  it('with 401 and how to authenticate, before anybody looks at it', async () => {
    const answer = await surface.post('/simpleenroll', 'nothing', undefined);
    expectRefused(answer, 401, 'est.certificate_required');
    expect(answer.headers['www-authenticate']).toBe('ClientCertificate realm="est"');
  });
});
