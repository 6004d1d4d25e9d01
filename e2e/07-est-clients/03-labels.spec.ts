import { beforeAll, describe, expect } from '@jest/globals';
import { curl } from '../harness/curl.js';
import { at } from '../harness/endpoints.js';
import { boundRequest, EstConnection } from '../harness/est-connection.js';
import { file, newDeviceId } from '../harness/folder.js';
import { itWith, PYTHON } from '../harness/installed.js';
import { certificatesOf, newKey, newRequest } from '../harness/openssl.js';
import { must } from '../harness/run.js';
import { est, type Factory, makeDevice } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);
const base = () => `${at('provisioning', 'vehicle')}/.well-known/est`;
const codeOf = (body: string) => body.split(':', 1)[0];

describe('labels', () => {
  const id = newDeviceId('labels');
  let factory: Factory;

  beforeAll(async () => {
    factory = await makeDevice(id);
  });

  test('that nobody configured are not found, in text', async () => {
    const answer = await curl(`${base()}/no-such-label/cacerts`);
    expect([answer.status, codeOf(answer.body)]).toEqual([404, 'est.label_unknown']);
    expect(answer.headers['content-type']).toContain('text/plain');
  });

  test('give certificates by their own policy: ten minutes under `short`', async () => {
    const body = await newRequest(await newKey(`${id}.key`, 'P-256'), `/CN=${id}`);
    const answer = await est('short/simpleenroll', body, factory);
    expect(answer.status).toBe(200);
    const leaf = file(`${id}.crt`, (await certificatesOf(answer.body))[0] ?? '');
    await must('openssl', ['x509', '-in', leaf, '-noout', '-checkend', '60']);
    await expect(must('openssl', ['x509', '-in', leaf, '-noout', '-checkend', '3600'])).rejects.toThrow();
  });
});

describe('csrattrs', () => {
  test('has nothing to say by default', async () => {
    const answer = await curl(`${base()}/csrattrs`);
    expect([answer.status, answer.body]).toEqual([204, '']);
  });

  test('asks for the challenge password under `bound`, in DER that openssl reads', async () => {
    const { status, headers, body } = await curl(`${base()}/bound/csrattrs`);
    expect([status, headers['content-type']]).toEqual([200, 'application/csrattrs']);
    const der = file('bound-csrattrs.der', Buffer.from(body, 'base64'));
    const { stdout } = await must('openssl', ['asn1parse', '-inform', 'DER', '-in', der]);
    expect(stdout).toMatch(/SEQUENCE\s[\s\S]*OBJECT +:challengePassword/);
  });
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('channel binding on %s, under `bound`', (version) => {
  const id = newDeviceId(`bound-${version.slice(-1)}`);
  let factory: Factory;
  let key: string;

  beforeAll(async () => {
    factory = await makeDevice(id);
    key = await newKey(`${id}.key`, 'P-256');
  });

  const open = () => EstConnection.open(factory, { minVersion: version, maxVersion: version });

  test('is required', async () => {
    const connection = await open();
    const { status, body } = await connection.post('bound/simpleenroll', await newRequest(key, `/CN=${id}`));
    expect([status, codeOf(body)]).toEqual([400, 'est.channel_binding_required']);
    connection.close();
  });

  test('of another connection is refused, where it is optional too', async () => {
    const [one, other] = [await open(), await open()];
    const request = await boundRequest(key, id, other.binding);
    for (const path of ['bound/simpleenroll', 'simpleenroll']) {
      const { status, body } = await one.post(path, request);
      expect([status, codeOf(body)]).toEqual([400, 'est.channel_binding_wrong']);
    }
    one.close();
    other.close();
  });

  test('of this connection is taken', async () => {
    const connection = await open();
    const answer = await connection.post('bound/simpleenroll', await boundRequest(key, id, connection.binding));
    expect(answer.status).toBe(200);
    connection.close();
  });
});

describe('serverkeygen', () => {
  const id = newDeviceId('keygen');
  let factory: Factory;
  let request: string;

  beforeAll(async () => {
    factory = await makeDevice(id);
    request = await newRequest(await newKey(`${id}.key`, 'P-256'), `/CN=${id}`);
  });

  test('is off by default', async () => {
    const { status, body } = await est('serverkeygen', request, factory);
    expect([status, codeOf(body)]).toEqual([403, 'est.server_key_generation_off']);
  });

  itWith(['curl', 'openssl', 'python3-nacl'])(
    'sends under `keygen` a key and the certificate that goes with it, which openssl and Python read',
    async () => {
      const answer = await est('keygen/serverkeygen', request, factory);
      expect(answer.status).toBe(200);
      const [key, certificates] = await parts(answer.headers['content-type'] ?? '', answer.body);
      expect([key?.type, certificates?.type]).toEqual(['application/pkcs8', 'application/pkcs7-mime']);
      const privateKey = file(`${id}-made.key`, key?.content ?? '');
      const ofKey = await must('openssl', ['pkey', '-inform', 'DER', '-in', privateKey, '-pubout']);
      const cms = file(`${id}-made.p7`, certificates?.content ?? '');
      const printed = await must('openssl', ['pkcs7', '-inform', 'DER', '-in', cms, '-print_certs']);
      const leaf = file(`${id}-made.crt`, printed.stdout);
      expect((await must('openssl', ['x509', '-in', leaf, '-noout', '-pubkey'])).stdout).toBe(ofKey.stdout);
      expect(ofKey.stdout).not.toBe(
        (await must('openssl', ['pkey', '-in', `${factory.folder}/factory.key`, '-pubout'])).stdout,
      );
    },
  );
});

/** As Python's MIME reader takes them apart, the base64 decoded. */
async function parts(contentType: string, body: string): Promise<{ type: string; content: Buffer }[]> {
  const program = [
    'import sys, email, json, base64',
    'message = email.message_from_bytes(sys.stdin.buffer.read())',
    'read = lambda part: {"type": part.get_content_type(), "content": base64.b64encode(part.get_payload(decode=True)).decode()}',
    'print(json.dumps([read(part) for part in message.get_payload()]))',
  ].join('\n');
  const { stdout } = await must(PYTHON ?? 'python3', ['-c', program], {
    input: `Content-Type: ${contentType}\r\n\r\n${body}`,
  });
  const read = JSON.parse(stdout) as { type: string; content: string }[];
  return read.map(({ type, content }) => ({ type, content: Buffer.from(content, 'base64') }));
}
