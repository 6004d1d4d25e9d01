import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  bitString,
  contextConstructed,
  contextPrimitive,
  integer,
  objectIdentifier,
  sequence,
  time,
  unsignedInteger,
} from './der-write.js';
import { encodeName } from './distinguished-name.js';
import { commonName, NOW } from './fleet.fixture.js';
import { encodeTbsCertificate } from './issue-certificate.js';
import { OID } from './oids.js';
import type { ParsedCertificate } from './parse-certificate.js';
import { description, fleet, lint, TAKEN, tbsOf, withField } from './spoilt-certificate.fixture.js';
import { joined, partsOf } from './tbs-parts.fixture.js';

const rsa = new Uint8Array(
  generateKeyPairSync('rsa', { modulusLength: 3072 }).publicKey.export({ type: 'spki', format: 'der' }),
);
const spkiWithPoint = (point: Buffer) =>
  sequence(sequence(objectIdentifier(OID.ecPublicKey), objectIdentifier(OID.p256)), bitString(point));
const ed25519Spki = (key: string) =>
  sequence(sequence(objectIdentifier(OID.ed25519)), bitString(Buffer.from(key, 'hex')));
const generalizedTime = (text: string) => Buffer.concat([Buffer.from([0x18, text.length]), Buffer.from(text)]);
const hours = (n: number) => new Date(NOW.getTime() + n * 3_600_000);
/** G of P-256: the public key of the private key 1. */
const GENERATOR = Buffer.from(
  '046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296' +
    '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
  'hex',
);

describe('lintCertificate', () => {
  it('finds nothing in what the product writes', () => expect(lint(tbsOf({}))).toEqual([]));

  it.each<[string, () => Uint8Array, string]>([
    ['version 1', () => withField('version', contextConstructed(0, integer(0))), 'no version of X.509'],
    ['version 2', () => withField('version', contextConstructed(0, integer(1))), 'extensions where none may be'],
    [
      'a unique identifier',
      () => joined(partsOf(tbsOf({})), [contextPrimitive(1, Buffer.from([0, 1]))]),
      'fields beside those of a profile',
    ],
    [
      'a negative serial number',
      () => withField('serialNumber', Buffer.from('02028001', 'hex')),
      'a negative serial number',
    ],
    [
      'a short serial number',
      () => withField('serialNumber', unsignedInteger(Buffer.from('01020304050607', 'hex'))),
      'the serial number is not 8 to 20 bytes',
    ],
    [
      'a serial number of 21 bytes',
      () => withField('serialNumber', unsignedInteger(Buffer.alloc(21, 0x5a))),
      'a serial number of more than 20 bytes',
    ],
    [
      'a counter for a serial number',
      () => withField('serialNumber', unsignedInteger(Buffer.from('01000000000000000000000000000007', 'hex'))),
      'the serial number does not look random',
    ],
    ['a serial number again', () => tbsOf({ serialNumber: TAKEN }), 'the serial number has been used before'],
    [
      'another algorithm inside',
      () => withField('algorithm', sequence(objectIdentifier(OID.ed25519))),
      'the two signature algorithms differ',
    ],
    ['an empty issuer', () => withField('issuer', sequence()), 'the issuer is empty'],
    [
      'another issuer',
      () => withField('issuer', encodeName(commonName('Vehicle CB'))),
      'the issuer is not named as in its certificate',
    ],
    ['an end before the beginning', () => tbsOf({ notAfter: hours(-1) }), 'notAfter is not after notBefore'],
    ['a life beyond the profile', () => tbsOf({ notAfter: hours(8 * 24) }), 'the lifetime exceeds the profile'],
    ['a life beyond the issuer', () => tbsOf({ notAfter: hours(25) }), 'the certificate outlives its issuer'],
    [
      'a beginning before the issuer',
      () => tbsOf({ notBefore: hours(-1) }),
      'the certificate begins before its issuer',
    ],
    [
      'GeneralizedTime before 2050',
      () => withField('validity', sequence(time(NOW), generalizedTime('20260301130000Z'))),
      'a time is not UTCTime before 2050 and GeneralizedTime from then on',
    ],
    [
      'a fraction of a second',
      () => withField('validity', sequence(time(NOW), generalizedTime('20260301130000.5Z'))),
      'notAfter is no GeneralizedTime of RFC 5280',
    ],
    [
      'a time zone',
      () => withField('validity', sequence(time(NOW), generalizedTime('20260301130000+0100'))),
      'notAfter is no GeneralizedTime of RFC 5280',
    ],
    ['an empty subject', () => withField('subject', sequence()), 'the subject is empty'],
    [
      'two common names',
      () => tbsOf({ subject: [...commonName('device-12345'), ...commonName('device-12345')] }),
      'the subject holds an attribute twice',
    ],
    [
      'a name of 65 characters',
      () => tbsOf({ subject: commonName('d'.repeat(65)) }),
      'a name is empty, too long or holds unprintable characters',
    ],
    [
      'a control character',
      () => tbsOf({ subject: commonName('device-12345\u0000') }),
      'a name is empty, too long or holds unprintable characters',
    ],
    [
      'white space at the end',
      () => tbsOf({ subject: commonName('device-12345 ') }),
      'a name is empty, too long or holds unprintable characters',
    ],
    [
      'a serialNumber attribute',
      () => tbsOf({ subject: [...commonName('device-12345'), { type: OID.serialNumber, value: 'DM-1' }] }),
      'the serialNumber attribute does not fit the profile',
    ],
    ['a key type that the profile has not', () => withField('key', rsa), 'the profile takes no RSA key'],
    [
      'a point that is not on its curve',
      () => tbsOf({ spkiDer: spkiWithPoint(Buffer.concat([GENERATOR.subarray(0, 64), Buffer.from([0xf6])])) }),
      'the public key is not a valid key of its type',
    ],
    [
      'the public key of private key 1',
      () => tbsOf({ spkiDer: spkiWithPoint(GENERATOR) }),
      'the key is a weak one that is publicly known',
    ],
    [
      'an Ed25519 point of small order',
      () => tbsOf({ spkiDer: ed25519Spki('01'.padEnd(64, '0')) }),
      'the key is a weak one that is publicly known',
    ],
    [
      'a key of RFC 8032',
      () => tbsOf({ spkiDer: ed25519Spki('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a') }),
      'the key is a weak one that is publicly known',
    ],
    ['a blocked key', () => tbsOf({ spkiDer: fleet.controlCa.certificate.spkiDer }), 'the key is blocked'],
    [
      'the key of the issuer',
      () => tbsOf({ spkiDer: fleet.vehicleCa.certificate.spkiDer }),
      'the key is that of the issuer',
    ],
  ])('finds %s', (_, mutated, sentence) => {
    expect(lint(mutated())).toContain(sentence);
  });

  it('finds bytes after the end, and a length in more bytes than it needs', () => {
    const tbs = Buffer.from(tbsOf({}));
    expect(lint(Buffer.concat([tbs, Buffer.from([0])]))).not.toEqual([]);
    const long = Buffer.concat([Buffer.from([0x30, 0x83, 0, tbs[2] as number, tbs[3] as number]), tbs.subarray(4)]);
    expect(lint(long)).not.toEqual([]);
  });

  it('finds an issuer that may sign nothing', () => {
    const issuer: ParsedCertificate = { ...fleet.vehicleCa.certificate, keyUsage: ['cRLSign'] };
    expect(lint(tbsOf({}), { issuer })).toContain('the issuer may not sign certificates');
  });

  it('finds an authority under an issuer that may sign none', () => {
    const tbs = encodeTbsCertificate(
      description({ profile: 'issuing-ca', subject: commonName('Below') }),
      fleet.vehicleCa.certificate,
    );
    expect(lint(tbs)).toContain('the issuer may sign no authority');
  });
});
