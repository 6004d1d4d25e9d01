import 'reflect-metadata';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import {
  createCertificationRequest,
  parseCertificationRequest,
  parseUnprovenRequest,
} from './certification-request.js';
import { hasOpenssl, newKeyPair } from './fleet.fixture.js';
import { toPem } from './pem.js';

function request(type: 'P-256' | 'P-384' | 'Ed25519' = 'P-256'): Uint8Array {
  const { privateKey, publicKey } = newKeyPair(type);
  return createCertificationRequest({ subject: 'device-12345', privateKey, publicKey });
}

function refusal(input: Uint8Array | string): unknown {
  try {
    parseCertificationRequest(input);
    return undefined;
  } catch (error) {
    return error instanceof DomainError ? error.code : error;
  }
}

describe('parseCertificationRequest', () => {
  it.each(['P-256', 'P-384', 'Ed25519'] as const)('takes our own %s request in DER, PEM and base64', (type) => {
    const der = request(type);
    for (const input of [der, toPem(der, 'CERTIFICATE REQUEST'), Buffer.from(der).toString('base64')]) {
      expect(parseCertificationRequest(input)).toMatchObject({ subjectCommonName: 'device-12345', keyAlgorithm: type });
    }
  });

  it('reads the requested names', () => {
    const { privateKey, publicKey } = newKeyPair('P-256');
    const sanUris = ['spiffe://fleet.example.com/vehicle/device-12345', 'urn:other'];
    const der = createCertificationRequest({ subject: 'device-12345', privateKey, publicKey, sanUris });
    expect(parseCertificationRequest(der).sanUris).toEqual(sanUris);
  });

  it('reads the challenge password, and takes no second one', async () => {
    const keys = newKeyPair('P-256');
    const der = createCertificationRequest({ subject: 'device-12345', ...keys, challengePassword: 'c2VjcmV0+/=' });
    expect(parseCertificationRequest(der)).toMatchObject({
      challengePassword: 'c2VjcmV0+/=',
      attributeTypes: ['1.2.840.113549.1.9.7'],
    });
    expect(parseCertificationRequest(request()).challengePassword).toBeUndefined();
    const parsed = new x509.Pkcs10CertificateRequest(Buffer.from(der));
    const [password] = parsed.attributes as x509.ChallengePasswordAttribute[];
    expect(password?.password).toBe('c2VjcmV0+/=');
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
    const cryptoKeys = await globalThis.crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const twice = await x509.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=device-12345',
      keys: cryptoKeys,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      attributes: [new x509.ChallengePasswordAttribute('one'), new x509.ChallengePasswordAttribute('two')],
    });
    expect(refusal(new Uint8Array(twice.rawData))).toBe('x509.malformed');
  });

  it('reads what is asked for without the proof, where the key will be another one', () => {
    const der = Buffer.from(request());
    der[der.length - 1]! ^= 1;
    expect(refusal(der)).toBe('x509.signature_invalid');
    const { subjectCommonName, keyAlgorithm } = parseUnprovenRequest(der);
    expect({ subjectCommonName, keyAlgorithm }).toEqual({ subjectCommonName: 'device-12345', keyAlgorithm: 'P-256' });
    expect(() => parseUnprovenRequest(der.subarray(1))).toThrow(expect.objectContaining({ code: 'x509.malformed' }));
  });

  it('refuses a signature by another key', () => {
    const { publicKey } = newKeyPair('P-256');
    const { privateKey } = newKeyPair('P-256');
    const der = createCertificationRequest({ subject: 'device-12345', privateKey, publicKey });
    expect(refusal(der)).toBe('x509.signature_invalid');
  });

  it('refuses a name changed after signing', () => {
    const der = Buffer.from(request());
    der.write('device-12346', der.indexOf('device-12345'), 'latin1');
    expect(refusal(der)).toBe('x509.signature_invalid');
  });

  it('refuses a point that is not on the curve', () => {
    const der = Buffer.from(request());
    // The point follows BIT STRING 03 42 00 04; its last byte is y's.
    const point = der.indexOf(Buffer.from('03420004', 'hex')) + 4;
    der[point + 63] = (der[point + 63] ?? 0) ^ 1;
    expect(refusal(der)).toBe('x509.key_unsupported');
  });

  it('refuses the point at infinity and a P-256 key that claims P-384', () => {
    const der = Buffer.from(request('P-384'));
    const oid = der.indexOf(Buffer.from('06052b81040022', 'hex'));
    der[oid + 6] = 0x23; // secp521r1
    expect(refusal(der)).toBe('x509.key_unsupported');
  });

  it('refuses RSA, and refuses what is no request', async () => {
    const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
    const pkcs8 = keys.privateKey.export({ type: 'pkcs8', format: 'der' });
    const spki = keys.publicKey.export({ type: 'spki', format: 'der' });
    const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']);
    const publicKey = await crypto.subtle.importKey('spki', spki, algorithm, true, ['verify']);
    const csr = await x509.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=device-12345',
      keys: { privateKey, publicKey },
      signingAlgorithm: algorithm,
    });
    expect(refusal(new Uint8Array(csr.rawData))).toBe('x509.key_unsupported');
    for (const input of ['', 'AAAA', '-----BEGIN CERTIFICATE REQUEST-----', new Uint8Array(20_000).fill(0x30)]) {
      expect(refusal(input)).toBe('x509.malformed');
    }
  });

  it('is read by the ASN.1 library as we meant it', async () => {
    const oracle = new x509.Pkcs10CertificateRequest(Buffer.from(request()));
    expect(oracle.subject).toBe('CN=device-12345');
    expect(await oracle.verify()).toBe(true);
  });

  it('never throws anything but a DomainError, and never takes a changed request', () => {
    const der = request();
    const edits = fc.array(fc.tuple(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(edits, (changes) => {
        const changed = Uint8Array.from(der);
        for (const [at, mask] of changes) changed[at] = (changed[at] ?? 0) ^ mask;
        if (Buffer.compare(changed, der) === 0) return;
        expect(refusal(changed)).toMatch(/^x509\./);
      }),
      { numRuns: 500 },
    );
  });
});

const withOpenssl = hasOpenssl() ? describe : describe.skip;
withOpenssl('requests and openssl (skipped where openssl is not on the PATH)', () => {
  test.each(['P-256', 'P-384', 'Ed25519'] as const)('openssl verifies our %s request', (type) => {
    const output = execFileSync('openssl', ['req', '-verify', '-noout', '-inform', 'DER', '-subject'], {
      input: request(type),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    expect(output.toString()).toContain('CN = device-12345');
  });

  test.each([
    [['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], undefined],
    [['ed25519'], undefined],
    [['ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'], 'x509.key_unsupported'],
    [['rsa', '-pkeyopt', 'rsa_keygen_bits:3072'], 'x509.key_unsupported'],
  ])('a request that openssl made with %j', ([algorithm = '', ...options], expected) => {
    const folder = mkdtempSync(join(tmpdir(), 'outrider-csr-'));
    try {
      const key = execFileSync('openssl', ['genpkey', '-algorithm', algorithm, ...options], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      writeFileSync(join(folder, 'k.pem'), key, { mode: 0o600 });
      const csr = execFileSync('openssl', ['req', '-new', '-key', join(folder, 'k.pem'), '-subj', '/CN=device-12345']);
      expect(refusal(csr.toString())).toBe(expected);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
