import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import { SerialNumber } from '@outrider/ids';
import fc from 'fast-check';
import { contextConstructed, derNull, integer, objectIdentifier, octetString, sequence } from './der-write.js';
import { type Fleet, hasOpenssl, newFleet } from './fleet.fixture.js';
import { extension } from './issue-certificate.js';
import { encodeOcspCertId, OCSP_HASHES, ocspIssuerHashes } from './ocsp-cert-id.js';
import { createOcspRequest, ocspNonce, parseOcspRequest } from './ocsp-request.js';
import { OID } from './oids.js';
import { toPem } from './pem.js';

let fleet: Fleet;
let folder: string;
beforeAll(async () => {
  fleet = await newFleet();
  folder = mkdtempSync(join(tmpdir(), 'outrider-ocsp-request-'));
  for (const [name, { certificate, privateKey }] of Object.entries(fleet)) {
    writeFileSync(join(folder, `${name}.crt`), toPem(certificate.der, 'CERTIFICATE'));
    writeFileSync(join(folder, `${name}.key`), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const serial = fc
  .uint8Array({ minLength: 1, maxLength: 20 })
  .map((bytes) => Uint8Array.from(bytes, (byte, i) => (i === 0 ? (byte & 0x7f) | 1 : byte)))
  .map((bytes) => SerialNumber.parse(Buffer.from(bytes).toString('hex')));
const certId = () => encodeOcspCertId(fleet.vehicleCa.certificate, fleet.vehicle.certificate.serialNumber);
const malformed = expect.objectContaining({ code: 'x509.malformed' });

(hasOpenssl() ? describe : describe.skip)('a request that openssl made (skipped without openssl)', () => {
  /** DER of `openssl ocsp -reqout`; the option that chooses a hash stands before what it is for. */
  const made = (...args: string[]) => {
    execFileSync('openssl', ['ocsp', '-issuer', 'vehicleCa.crt', ...args, '-reqout', 'request.der'], {
      cwd: folder,
      stdio: 'ignore',
    });
    return new Uint8Array(readFileSync(join(folder, 'request.der')));
  };

  test.each(OCSP_HASHES)('names the certificate by %s, to the byte as ours', (hash) => {
    const der = made('-no_nonce', `-${hash}`, '-cert', 'vehicle.crt');
    const request = parseOcspRequest(der);
    const { serialNumber } = fleet.vehicle.certificate;
    const hashes = ocspIssuerHashes(fleet.vehicleCa.certificate, hash);
    expect(request).toMatchObject({ nonce: undefined, isPlain: true });
    expect(request.certIds).toMatchObject([{ hashAlgorithm: hash, serialNumber, ...hashes }]);
    const ours = createOcspRequest([encodeOcspCertId(fleet.vehicleCa.certificate, serialNumber, hash)]);
    expect(Buffer.from(ours)).toEqual(Buffer.from(der));
  });

  it('holds a nonce', () => {
    const request = parseOcspRequest(made('-cert', 'vehicle.crt'));
    expect(request.nonce?.length).toBeGreaterThanOrEqual(16);
    expect(request.isPlain).toBe(false);
  });

  it('asks for several, by different hashes, one of them unknown to us', () => {
    const several = made('-no_nonce', '-serial', '0x1234', '-sha256', '-serial', '77', '-sha512', '-serial', '78');
    expect(parseOcspRequest(several).certIds).toMatchObject([
      { hashAlgorithm: 'sha1', serialNumber: '1234' },
      { hashAlgorithm: 'sha256', serialNumber: '4d' },
      { hashAlgorithm: undefined, serialNumber: '4e' },
    ]);
  });

  it('is signed, with a requestor’s name: read over', () => {
    const signed = made('-no_nonce', '-cert', 'vehicle.crt', '-signer', 'controlCa.crt', '-signkey', 'controlCa.key');
    expect(parseOcspRequest(signed)).toMatchObject({ isPlain: false, nonce: undefined });
    expect(parseOcspRequest(signed).certIds).toHaveLength(1);
  });
});

describe('parseOcspRequest', () => {
  it('reads back what was written', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(serial, fc.constantFrom(...OCSP_HASHES)), { minLength: 1, maxLength: 16 }),
        fc.option(fc.uint8Array({ minLength: 1, maxLength: 128 }), { nil: undefined }),
        (asked, nonce) => {
          const ids = asked.map(([number, hash]) => encodeOcspCertId(fleet.vehicleCa.certificate, number, hash));
          const read = parseOcspRequest(createOcspRequest(ids, nonce));
          expect(read.certIds.map(({ der }) => Buffer.from(der))).toEqual(ids.map((id) => Buffer.from(id)));
          expect(read.certIds.map(({ serialNumber }) => serialNumber)).toEqual(asked.map(([number]) => number));
          expect(read.nonce && Buffer.from(read.nonce)).toEqual(nonce && Buffer.from(nonce));
          expect(read.isPlain).toBe(nonce === undefined && asked.length === 1);
        },
      ),
    );
  });

  it('takes an extension that it need not understand, and a version spelled out', () => {
    const service = extension('1.3.6.1.5.5.7.48.1.7', 'non-critical', derNull());
    const single = sequence(certId(), contextConstructed(0, sequence(service)));
    const version = contextConstructed(0, integer(0));
    const der = sequence(sequence(version, sequence(single), contextConstructed(2, sequence(service))));
    expect(parseOcspRequest(der)).toMatchObject({ isPlain: false, nonce: undefined });
  });

  const withExtensions = (...extensions: Uint8Array[]) =>
    sequence(sequence(sequence(sequence(certId())), contextConstructed(2, sequence(...extensions))));
  const unknownCritical = () => extension('1.3.6.1.5.5.7.48.1.6', 'critical', derNull());

  it.each<[string, () => Uint8Array]>([
    ['nothing', () => new Uint8Array()],
    ['more than 4,096 bytes', () => new Uint8Array(4097)],
    ['no certificate', () => sequence(sequence(sequence()))],
    ['17 certificates', () => createOcspRequest(Array.from({ length: 17 }, certId))],
    ['bytes after it', () => Buffer.concat([createOcspRequest([certId()]), Uint8Array.of(0)])],
    [
      'a third part',
      () => sequence(sequence(sequence(sequence(certId()))), contextConstructed(0, derNull()), derNull()),
    ],
    ['another version', () => sequence(sequence(contextConstructed(0, integer(1)), sequence(sequence(certId()))))],
    ['a nonce of no octets', () => createOcspRequest([certId()], new Uint8Array())],
    ['a nonce of 129 octets', () => createOcspRequest([certId()], new Uint8Array(129))],
    ['a nonce without its OCTET STRING', () => withExtensions(extension(OID.ocspNonce, 'non-critical', integer(7)))],
    ['two nonces', () => withExtensions(ocspNonce(Uint8Array.of(1)), ocspNonce(Uint8Array.of(2)))],
    ['no extensions in their place', () => withExtensions()],
    ['a critical extension', () => withExtensions(unknownCritical())],
    [
      'a critical extension of one certificate',
      () => sequence(sequence(sequence(sequence(certId(), contextConstructed(0, sequence(unknownCritical())))))),
    ],
    [
      'a hash with parameters',
      () =>
        createOcspRequest([sequence(sequence(objectIdentifier(OID.sha1), integer(1)), octetString(Uint8Array.of(1)))]),
    ],
    [
      'a negative serial number',
      () => {
        const [algorithm, hash] = [sequence(objectIdentifier(OID.sha1)), octetString(new Uint8Array(20))];
        return createOcspRequest([sequence(algorithm, hash, hash, Uint8Array.of(2, 1, 0xff))]);
      },
    ],
  ])('refuses %s', (_, der) => {
    expect(() => parseOcspRequest(der())).toThrow(malformed);
  });

  it('refuses what is cut short or broken anywhere by its own error, and never reads past it', () => {
    const good = createOcspRequest([certId()], new Uint8Array(16).fill(7));
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, flip, cut) => {
        const broken = cut ? good.slice(0, at) : Uint8Array.from(good, (byte, i) => (i === at ? byte ^ flip : byte));
        try {
          const { certIds } = parseOcspRequest(broken);
          expect(cut).toBe(false);
          expect(certIds).toHaveLength(1);
        } catch (error) {
          expect(error).toBeInstanceOf(DomainError);
          expect(error).toMatchObject({ code: 'x509.malformed' });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('answers any bytes by its own error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => parseOcspRequest(bytes)).toThrow(malformed);
      }),
    );
  });
});
