import { beforeAll, describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import fc from 'fast-check';
import { readDer } from './der-read.js';
import { oidText, timeOf } from './der-values.js';
import { element, objectIdentifier, sequence, time } from './der-write.js';
import { encodeName, readName } from './distinguished-name.js';
import { type Fleet, newFleet } from './fleet.fixture.js';
import { ipBytes } from './general-names.js';
import { OID } from './oids.js';
import { parseCertificate, parseCertificates } from './parse-certificate.js';
import { toPem } from './pem.js';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await newFleet();
});

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const malformed = expect.objectContaining({ code: 'x509.malformed' });

describe('parseCertificate', () => {
  it('reads DER, PEM and base64 alike', () => {
    const { der, thumbprint } = fleet.vehicle.certificate;
    for (const input of [
      der,
      toPem(der, 'CERTIFICATE'),
      Buffer.from(der).toString('base64'),
      Buffer.from(toPem(der, 'CERTIFICATE')),
    ]) {
      expect(parseCertificate(input).thumbprint).toBe(thumbprint);
    }
  });

  it('reads every certificate of a bundle, and takes no bundle for one certificate', () => {
    const bundle = [fleet.vehicle, fleet.vehicleCa]
      .map(({ certificate }) => toPem(certificate.der, 'CERTIFICATE'))
      .join('\n');
    expect(parseCertificates(`explanatory text\n${bundle}`)).toEqual([
      fleet.vehicle.certificate,
      fleet.vehicleCa.certificate,
    ]);
    expect(() => parseCertificate(bundle)).toThrow(malformed);
  });

  it('keeps a copy: bytes changed later change nothing', () => {
    const input = Uint8Array.from(fleet.vehicle.certificate.der);
    const parsed = parseCertificate(input);
    input.fill(0);
    expect(parsed.der).toEqual(fleet.vehicle.certificate.der);
  });

  it('refuses a trailing byte, a cut and 16 KiB + 1', () => {
    const { der } = fleet.vehicle.certificate;
    expect(() => parseCertificate(Uint8Array.from([...der, 0]))).toThrow(malformed);
    expect(() => parseCertificate(der.subarray(0, -1))).toThrow(malformed);
    expect(() => parseCertificate(element(0x30, new Uint8Array(16 * 1024)))).toThrow(malformed);
  });

  it('meets any bytes with a certificate or x509.malformed', () => {
    const { der } = fleet.vehicle.certificate;
    const mutated = fc.tuple(fc.nat(der.length - 1), fc.integer({ min: 0, max: 255 })).map(([at, value]) => {
      const changed = Uint8Array.from(der);
      changed[at] = value;
      return changed;
    });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (input) => {
        try {
          parseCertificate(input);
        } catch (error) {
          if (!(error instanceof DomainError) || error.code !== 'x509.malformed') throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('readDer', () => {
  test.each([
    ['indefinite length', '30800000'],
    ['length in more bytes than needed', '30810101'],
    ['leading zero in the length', '3082008000'],
    ['length beyond the end', '300501'],
    ['length of five bytes', '308500000000010000'],
    ['multi-byte tag', '1f8100'],
    ['BOOLEAN true as 01', '010101'],
    ['INTEGER with padding', '02020001'],
    ['negative INTEGER with padding', '0202ff80'],
    ['empty INTEGER', '0200'],
    ['BIT STRING with unused bits set', '03020101'],
    ['BIT STRING without count', '0300'],
    ['constructed OCTET STRING', '2403040100'],
    ['OID with padding', '06028001'],
    ['OID cut short', '060181'],
    ['NULL with content', '050100'],
    ['end of contents', '0000'],
    ['nothing', ''],
  ])('refuses %s', (_, hex) => {
    expect(() => readDer(bytes(hex))).toThrow(malformed);
  });

  it('refuses deep nesting without recursing into it', () => {
    let nested: Uint8Array = new Uint8Array();
    for (let i = 0; i < 4000; i += 1) nested = sequence(nested);
    expect(() => readDer(nested)).toThrow(malformed);
  });
});

describe('values', () => {
  it('carries object identifiers there and back, 128-bit arcs too', () => {
    for (const dotted of Object.values(OID)) expect(oidText(readDer(objectIdentifier(dotted)).content)).toBe(dotted);
  });

  it('carries times there and back across the UTCTime border', () => {
    const instants = fc.date({
      min: new Date('1950-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(instants, (instant) => {
        const whole = new Date(Math.floor(instant.getTime() / 1000) * 1000);
        expect(timeOf(readDer(time(instant)), 'time')).toEqual(whole);
      }),
    );
  });

  test.each([
    ['a fraction', '18', '20260301120000.5Z'],
    ['an offset', '17', '2603011200+0100'],
    ['no seconds', '17', '2603011200Z'],
    ['30 February', '17', '260230120000Z'],
    ['hour 24', '17', '260301240000Z'],
  ])('refuses a time with %s', (_, tag, text) => {
    expect(() => timeOf(readDer(element(Number.parseInt(tag, 16), Buffer.from(text))), 'time')).toThrow(malformed);
  });

  it('prints names by RFC 4514', () => {
    const der = encodeName([
      { type: OID.countryName, value: 'DE' },
      { type: OID.organizationName, value: 'A+B, "C"\\ <x>;' },
      { type: OID.commonName, value: ' #lead and trail ' },
    ]);
    expect(readName(readDer(der), 'name').text).toBe('CN=\\ #lead and trail\\ ,O=A\\+B\\, \\"C\\"\\\\ \\<x\\>\\;,C=DE');
  });

  test.each([
    ['127.0.0.1', '7f000001'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:db8::a:0:1', '20010db8000000000000000a00000001'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ])('reads the address %s', (text, hex) => {
    expect(Buffer.from(ipBytes(text)).toString('hex')).toBe(hex);
  });

  test.each(['', '256.1.1.1', '1.2.3', '1:2', '::1::2', '1:2:3:4:5:6:7:8:9', 'g::1', '1:2:3:4:5:6:7:8::'])(
    'refuses the address "%s"',
    (text) => {
      expect(() => ipBytes(text)).toThrow(malformed);
    },
  );
});
