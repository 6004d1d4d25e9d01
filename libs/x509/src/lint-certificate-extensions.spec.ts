import { describe, expect, it } from '@jest/globals';
import {
  bitString,
  contextConstructed,
  contextPrimitive,
  derTrue,
  objectIdentifier,
  octetString,
  sequence,
} from './der-write.js';
import { encodeGeneralNames } from './general-names.js';
import { extension } from './issue-certificate.js';
import { OID } from './oids.js';
import { lint, tbsOf, withExtension } from './spoilt-certificate.fixture.js';
import { joined, partsOf } from './tbs-parts.fixture.js';

const utf8 = (text: string) => contextPrimitive(6, Buffer.from(text, 'latin1'));
const crlPoint = (url: string) => sequence(sequence(contextConstructed(0, contextConstructed(0, utf8(url)))));
const ownUri = 'spiffe://fleet.example.com/vehicle/device-12345';
function san(names: { uris: string[] }): Uint8Array {
  return extension(OID.subjectAltName, 'non-critical', encodeGeneralNames({ ...names, dnsNames: [], ipAddresses: [] }));
}

describe('lintCertificate, of extensions,', () => {
  it.each<[string, () => Uint8Array, string]>([
    [
      'the identifier of another key',
      () =>
        withExtension(
          OID.subjectKeyIdentifier,
          extension(OID.subjectKeyIdentifier, 'non-critical', octetString(Buffer.alloc(20))),
        ),
      'the subject key identifier is not that of the key',
    ],
    [
      'no subject key identifier',
      () => withExtension(OID.subjectKeyIdentifier, undefined),
      'the subject key identifier is not that of the key',
    ],
    [
      'no authority key identifier',
      () => withExtension(OID.authorityKeyIdentifier, undefined),
      'the authority key identifier is missing',
    ],
    [
      'another authority key identifier',
      () =>
        withExtension(
          OID.authorityKeyIdentifier,
          extension(OID.authorityKeyIdentifier, 'non-critical', sequence(contextPrimitive(0, Buffer.alloc(20)))),
        ),
      'the authority key identifier is not that of the issuer',
    ],
    [
      'a CA',
      () => withExtension(OID.basicConstraints, extension(OID.basicConstraints, 'critical', sequence(derTrue()))),
      'basic constraints differ from the profile',
    ],
    [
      'no basic constraints',
      () => withExtension(OID.basicConstraints, undefined),
      'basic constraints differ from the profile',
    ],
    [
      'keyCertSign',
      () => withExtension(OID.keyUsage, extension(OID.keyUsage, 'critical', bitString(Buffer.from([0x84]), 2))),
      'key usage differs from the profile',
    ],
    ['no key usage', () => withExtension(OID.keyUsage, undefined), 'key usage differs from the profile'],
    [
      'an extended key usage that is not the profile’s',
      () =>
        withExtension(
          OID.extendedKeyUsage,
          extension(OID.extendedKeyUsage, 'non-critical', sequence(objectIdentifier(OID.serverAuth))),
        ),
      'extended key usage differs from the profile',
    ],
    [
      'an extended key usage that the issuer has not',
      () =>
        withExtension(
          OID.extendedKeyUsage,
          extension(OID.extendedKeyUsage, 'non-critical', sequence(objectIdentifier(OID.serverAuth))),
        ),
      'the issuer may not sign for this extended key usage',
    ],
    [
      'an extended key usage twice',
      () =>
        withExtension(
          OID.extendedKeyUsage,
          extension(
            OID.extendedKeyUsage,
            'non-critical',
            sequence(objectIdentifier(OID.clientAuth), objectIdentifier(OID.clientAuth)),
          ),
        ),
      'extended key usage differs from the profile',
    ],
    [
      'a critical extension that is not to be',
      () =>
        withExtension(
          OID.extendedKeyUsage,
          extension(OID.extendedKeyUsage, 'critical', sequence(objectIdentifier(OID.clientAuth))),
        ),
      `extension ${OID.extendedKeyUsage} has the wrong criticality`,
    ],
    [
      'an extension of no profile',
      () => withExtension('1.2.3.4', extension('1.2.3.4', 'non-critical', sequence())),
      'extension 1.2.3.4 is in no profile',
    ],
    [
      'another device’s URI',
      () => tbsOf({ sanUri: 'spiffe://fleet.example.com/vehicle/device-99999' }),
      'the SAN does not hold exactly the SPIFFE id of the vehicle',
    ],
    [
      'a second URI',
      () =>
        withExtension(OID.subjectAltName, san({ uris: [ownUri, 'spiffe://fleet.example.com/vehicle/device-99999'] })),
      'the SAN does not hold exactly the SPIFFE id of the vehicle',
    ],
    [
      'a URI twice',
      () => withExtension(OID.subjectAltName, san({ uris: [ownUri, ownUri] })),
      'the SAN holds a name twice',
    ],
    ['a host name', () => tbsOf({ sanDns: ['localhost'] }), 'the profile takes no host names'],
    [
      'an e-mail address',
      () =>
        withExtension(
          OID.subjectAltName,
          extension(
            OID.subjectAltName,
            'non-critical',
            sequence(contextPrimitive(1, Buffer.from('a@b.example')), utf8(ownUri)),
          ),
        ),
      'the SAN holds names other than URI, DNS and IP',
    ],
    [
      'no CRL address',
      () => withExtension(OID.crlDistributionPoints, undefined),
      'CRL and OCSP addresses are not one each',
    ],
    [
      'no OCSP address',
      () => withExtension(OID.authorityInfoAccess, undefined),
      'CRL and OCSP addresses are not one each',
    ],
    ['https for a CRL', () => tbsOf({ crlUrl: 'https://127.0.0.1/0.crl' }), 'a CRL or OCSP address is not plain http'],
    [
      'a user in an address',
      () => tbsOf({ crlUrl: 'http://a:b@127.0.0.1/0.crl' }),
      'a CRL or OCSP address is not plain http',
    ],
    [
      'a fragment in an address',
      () => tbsOf({ ocspUrl: 'http://127.0.0.1/ocsp#x' }),
      'a CRL or OCSP address is not plain http',
    ],
    [
      'an address without a host',
      () =>
        withExtension(
          OID.crlDistributionPoints,
          extension(OID.crlDistributionPoints, 'non-critical', crlPoint('http://:x')),
        ),
      'a CRL or OCSP address is not plain http',
    ],
  ])('finds %s', (_, mutated, sentence) => {
    expect(lint(mutated())).toContain(sentence);
  });

  it('finds an extension that stands twice', () => {
    const parts = partsOf(tbsOf({}));
    const [first] = parts.extensions;
    expect(lint(joined({ ...parts, extensions: [...parts.extensions, first as Uint8Array] }))).toEqual([
      expect.stringMatching(/twice/),
    ]);
  });
});
