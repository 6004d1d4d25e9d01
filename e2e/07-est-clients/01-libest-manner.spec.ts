import { beforeAll, describe, expect } from '@jest/globals';
import { boundRequest, type EstAnswer, EstConnection } from '../harness/est-connection.js';
import { file, newDeviceId } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { certificatesOf, newKey, textOf, thumbprintOf } from '../harness/openssl.js';
import { type Factory, makeDevice } from '../harness/vehicle.js';

const test = itWith(['openssl']);

/** libest reads base64 by OpenSSL's decoder, which gives up on a long line, and takes one content type to the letter. */
function expectForLibest({ status, headers, body }: EstAnswer): void {
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('application/pkcs7-mime; smime-type=certs-only');
  expect(headers['content-length']).toBe(String(body.length));
  expect(headers['transfer-encoding']).toBeUndefined();
  const lines = body.trimEnd().split('\n');
  expect(lines.slice(0, -1).every((line) => line.length === 64)).toBe(true);
  expect(lines.at(-1)?.length).toBeLessThanOrEqual(64);
}

describe('a client in the manner of libest: TLS 1.2 alone, lines of 64, proof of possession by tls-unique', () => {
  const id = newDeviceId('libest');
  const options = { userAgent: 'libest 3.2.0', maxVersion: 'TLSv1.2' } as const;
  let factory: Factory;
  let leaf: { certificate: string; key: string };

  beforeAll(async () => {
    factory = await makeDevice(id);
  });

  test('gets the CAs and what a request must hold', async () => {
    const connection = await EstConnection.open(undefined, options);
    expect(connection.version).toBe('TLSv1.2');
    const cas = await connection.get('cacerts');
    expectForLibest(cas);
    expect((await certificatesOf(cas.body)).length).toBeGreaterThanOrEqual(2);
    expect((await connection.get('csrattrs')).status).toBe(204);
    connection.close();
  });

  test('enrols, its request bound to the connection', async () => {
    const connection = await EstConnection.open(factory, options);
    const key = await newKey(`${id}.key`, 'P-256');
    const answer = await connection.post('simpleenroll', await boundRequest(key, id, connection.binding));
    connection.close();
    expectForLibest(answer);
    const [certificate = '', ...more] = await certificatesOf(answer.body);
    expect(more).toHaveLength(0);
    leaf = { key, certificate: file(`${id}.crt`, certificate) };
    expect(await textOf(leaf.certificate)).toContain(`/vehicle/${id}`);
  });

  test('renews in the same manner', async () => {
    const connection = await EstConnection.open(leaf, options);
    const key = await newKey(`${id}-2.key`, 'P-256');
    const answer = await connection.post('simplereenroll', await boundRequest(key, id, connection.binding));
    connection.close();
    expectForLibest(answer);
    const [certificate = ''] = await certificatesOf(answer.body);
    expect(await thumbprintOf(file(`${id}-2.crt`, certificate))).not.toBe(await thumbprintOf(leaf.certificate));
  });
});
