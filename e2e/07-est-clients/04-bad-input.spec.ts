import { beforeAll, describe, expect } from '@jest/globals';
import { type Answer, type ClientFiles, curl } from '../harness/curl.js';
import { at } from '../harness/endpoints.js';
import { EstConnection } from '../harness/est-connection.js';
import { file, inFolder, newDeviceId } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { newKey, newRequest } from '../harness/openssl.js';
import { operator } from '../harness/operator.js';
import { outriderJson } from '../harness/outrider.js';
import { must } from '../harness/run.js';
import { est, type Factory, makeDevice } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);
const base = () => `${at('provisioning', 'vehicle')}/.well-known/est`;

function expectRefused(answer: Pick<Answer, 'status' | 'headers' | 'body'>, status: number, code: string): void {
  expect([answer.status, answer.body.split(':', 1)[0]]).toEqual([status, code]);
  expect(answer.headers['content-type']).toMatch(/^text\/plain/);
  expect(answer.body.length).toBeLessThan(400);
}

describe('a bad request', () => {
  const id = newDeviceId('bad-input');
  let factory: Factory;
  let good: string;
  let der: Buffer;

  beforeAll(async () => {
    factory = await makeDevice(id);
    good = await newRequest(await newKey(`${id}.key`, 'P-256'), `/CN=${id}`);
    der = Buffer.from(good, 'base64');
  });

  test('of no bytes, of garbage, of more than one request', async () => {
    for (const body of ['', 'garbage!', '====', good.slice(0, 90), `${good}AAAA`, `${good}${good}`]) {
      expectRefused(await est('simpleenroll', body, factory), 400, 'est.csr_malformed');
    }
  });

  test('with bytes after it', async () => {
    const trailing = Buffer.concat([der, Buffer.from('and more')]).toString('base64');
    expectRefused(await est('simpleenroll', trailing, factory), 400, 'est.csr_malformed');
  });

  test('above 16 KiB, refused before it is read as a request', async () => {
    const names = Array.from({ length: 1000 }, (_, index) => `DNS:name-${index}.example.com`).join(',');
    const extra = ['-addext', `subjectAltName=${names}`];
    const large = await newRequest(inFolder(`${id}.key`), `/CN=${id}`, extra);
    const path = file('large.b64', large);
    const args = ['-H', 'Content-Type: application/pkcs10', '--data-binary', `@${path}`];
    expectRefused(await curl(`${base()}/simpleenroll`, args, factory), 413, 'request.too_large');
    const huge = file('huge.b64', Buffer.alloc(2_000_000, 'A'));
    const more = ['-H', 'Content-Type: application/pkcs10', '--data-binary', `@${huge}`];
    expectRefused(await curl(`${base()}/simpleenroll`, more, factory), 413, 'request.too_large');
  });

  test('signed by another key', async () => {
    // Ed25519 signatures are the last 64 bytes of a request.
    const ofKey = async (name: string) => {
      const key = await newKey(`${id}-${name}.key`, 'Ed25519');
      return Buffer.from(await newRequest(key, `/CN=${id}`), 'base64');
    };
    const [one, other] = [await ofKey('one'), await ofKey('other')];
    const swapped = Buffer.concat([one.subarray(0, -64), other.subarray(-64)]).toString('base64');
    expectRefused(await est('simpleenroll', swapped, factory), 400, 'est.csr_signature_invalid');
    const renamed = Buffer.from(der);
    renamed[renamed.indexOf(id) + id.length - 1]! ^= 1;
    expectRefused(await est('simpleenroll', renamed.toString('base64'), factory), 400, 'est.csr_signature_invalid');
  });

  test('of another type, by another method, at another path', async () => {
    const json = await curl(`${base()}/simpleenroll`, ['-H', 'Content-Type: application/json', '-d', '{}'], factory);
    expectRefused(json, 415, 'request.unsupported_media_type');
    const get = await curl(`${base()}/simpleenroll`, [], factory);
    expectRefused(get, 405, 'request.method_not_allowed');
    expect(get.headers.allow).toBe('POST');
    expectRefused(await curl(`${base()}/fullcmc`, ['-d', 'x'], factory), 404, 'request.not_found');
  });

  test('costs nothing: the device enrols with a good one', async () => {
    expect((await est('simpleenroll', good, factory)).status).toBe(200);
  });
});

describe('a manufacturer that is removed between the handshake and the request', () => {
  const id = newDeviceId('orphan');
  const name = id.replace('e2e-', 'works-');
  const openssl = async (...args: string[]) => (await must('openssl', args)).stdout;

  /** A CA of our own, registered; a device of it; the device's factory certificate. */
  async function manufactured(): Promise<ClientFiles> {
    const caKey = await newKey(`${id}-ca.key`, 'P-256');
    const subject = ['-subj', `/O=${name}/CN=${name} CA`, '-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
    const ca = await openssl('req', '-x509', '-key', caKey, '-days', '2', ...subject);
    const put = await operator('provisioning', 'PUT', `/v1/manufacturers/${name}`, { body: { ca } });
    const device = { device_id: id, manufacturer: name, serial_number: 'S-1' };
    const post = await operator('provisioning', 'POST', '/v1/devices', { body: device });
    expect([put.status, post.status]).toEqual([201, 201]);
    const key = await newKey(`${id}.key`, 'P-256');
    const csr = await openssl('req', '-new', '-key', key, '-subj', `/O=${name}/serialNumber=S-1/CN=${id}`);
    const extensions =
      'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n';
    const leaf = await openssl(
      ...['x509', '-req', '-in', file(`${id}.csr`, csr), '-CA', file(`${id}-ca.crt`, ca), '-CAkey', caKey],
      ...['-days', '1', '-CAcreateserial', '-extfile', file(`${id}.ext`, extensions)],
    );
    return { certificate: file(`${id}.crt`, leaf + ca), key };
  }

  test('vouches for nobody any more, and nothing is issued', async () => {
    const connection = await EstConnection.open(await manufactured());
    const body = await newRequest(await newKey(`${id}-own.key`, 'P-256'), `/CN=${id}`);
    expect((await operator('provisioning', 'DELETE', `/v1/manufacturers/${name}?force=true`)).status).toBe(204);
    expectRefused(await connection.post('simpleenroll', body), 403, 'est.manufacturer_unknown');
    connection.close();
    const { certificates } = await outriderJson<{ certificates: object[] }>('device', 'show', id);
    expect(certificates).toHaveLength(0);
  });
});
