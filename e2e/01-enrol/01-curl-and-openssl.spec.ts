import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect } from '@jest/globals';
import { curl } from '../harness/curl.js';
import { at, endpoints } from '../harness/endpoints.js';
import { file, newDeviceId } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { certificatesOf, newKey, newRequest, serialOf, textOf, thumbprintOf } from '../harness/openssl.js';
import { outriderJson } from '../harness/outrider.js';
import { must } from '../harness/run.js';
import { est, type Factory, makeDevice } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);

interface Shown {
  readonly state: string;
  readonly certificates: readonly { readonly thumbprint: string; readonly serial: string; readonly status: string }[];
}
const show = (id: string) => outriderJson<Shown>('device', 'show', id);

async function certificatesFile(name: string, answer: { body: string }): Promise<string> {
  return file(name, (await certificatesOf(answer.body)).join(''));
}

describe('with curl and openssl', () => {
  const id = newDeviceId('enrol');
  let factory: Factory;
  let cas: string;

  beforeAll(async () => {
    factory = await makeDevice(id);
    cas = await certificatesFile('cas.pem', await curl(`${at('provisioning', 'vehicle')}/.well-known/est/cacerts`));
  });

  const verify = (leaf: string) =>
    must('openssl', [
      'verify',
      ...['-x509_strict', '-purpose', 'sslclient', '-CAfile', endpoints.trust.fleetRoot],
      ...['-untrusted', cas, leaf],
    ]);

  test('the factory made an identity and the registry knows the device', async () => {
    expect((await show(id)).state).toBe('registered');
    const chained = await must('openssl', ['verify', '-CAfile', endpoints.factory.ca, `${factory.folder}/factory.crt`]);
    expect(chained.stdout).toContain('OK');
  });

  test('cacerts gives the chain to the fleet root to anyone', async () => {
    const certificates = readFileSync(cas, 'utf8').match(/BEGIN CERTIFICATE/g) ?? [];
    expect(certificates).toHaveLength(2);
    expect((await must('openssl', ['verify', '-CAfile', endpoints.trust.fleetRoot, cas])).stdout).toContain('OK');
  });

  describe.each(['P-256', 'Ed25519', 'P-384'] as const)('a vehicle with a %s key', (keyType) => {
    const name = newDeviceId(`enrol-${keyType.toLowerCase()}`);
    let own: Factory;
    let key: string;
    let body: string;
    let leaf: string;

    beforeAll(async () => {
      own = await makeDevice(name);
      key = await newKey(`${name}.key`, keyType);
      body = await newRequest(key, `/CN=${name}`);
    });

    test('gets a certificate that openssl traces to the fleet root', async () => {
      const answer = await est('simpleenroll', body, own);
      expect(answer).toMatchObject({ status: 200 });
      expect(answer.headers['content-type']).toMatch(/^application\/pkcs7-mime/);
      leaf = await certificatesFile(`${name}.crt`, answer);
      expect((await verify(leaf)).stdout).toContain('OK');
    });

    test('names the vehicle, for client authentication alone, over its own key', async () => {
      const text = await textOf(leaf);
      expect(text).toMatch(new RegExp(`Subject: CN ?= ?${name}\\n`));
      expect(text).toMatch(
        new RegExp(`Subject Alternative Name: *\\n\\s+URI:spiffe://fleet\\.example\\.com/vehicle/${name}\\n`),
      );
      expect(text).toMatch(/Extended Key Usage: *\n\s+TLS Web Client Authentication\n/);
      expect(text).toMatch(/Key Usage: critical\n\s+Digital Signature\n/);
      expect(text).toContain('CA:FALSE');
      expect(text).toMatch(/URI:http:\/\/127\.0\.0\.1:\d+\/crl\/\d+\.crl/);
      const ofKey = await must('openssl', ['pkey', '-in', key, '-pubout']);
      expect((await must('openssl', ['x509', '-in', leaf, '-noout', '-pubkey'])).stdout).toBe(ofKey.stdout);
      await must('openssl', ['x509', '-in', leaf, '-noout', '-checkend', String(23 * 3600)]);
    });

    test('gets the same certificate again when it asks again: an answer may be lost', async () => {
      const again = await certificatesFile(`${name}-again.crt`, await est('simpleenroll', body, own));
      expect(await thumbprintOf(again)).toBe(await thumbprintOf(leaf));
    });

    test('is active, with the certificate that the registry shows', async () => {
      const { state, certificates } = await show(name);
      expect(state).toBe('active');
      expect(certificates.map(({ thumbprint }) => thumbprint)).toEqual([await thumbprintOf(leaf)]);
      expect(certificates[0]?.serial.toUpperCase()).toBe(await serialOf(leaf));
    });

    test('renews over its fleet certificate, with a new key, and keeps the old one meanwhile', async () => {
      const newer = await newKey(`${name}-2.key`, keyType);
      const request = await newRequest(newer, `/CN=${name}`);
      const answer = await est('simplereenroll', request, { certificate: leaf, key });
      expect(answer).toMatchObject({ status: 200 });
      const renewed = await certificatesFile(`${name}-2.crt`, answer);
      expect((await verify(renewed)).stdout).toContain('OK');
      const again = await est('simplereenroll', request, { certificate: leaf, key });
      expect(await thumbprintOf(await certificatesFile(`${name}-2b.crt`, again))).toBe(await thumbprintOf(renewed));
      const { certificates } = await show(name);
      expect(certificates.map(({ status }) => status).sort()).toEqual(['live', 'pending']);
      const next = await newRequest(await newKey(`${name}-3.key`, keyType), `/CN=${name}`);
      expect(await est('simplereenroll', next, { certificate: renewed, key: newer })).toMatchObject({ status: 200 });
    });
  });
});
