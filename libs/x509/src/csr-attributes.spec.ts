import { execFileSync } from 'node:child_process';
import { describe, expect, it, test } from '@jest/globals';
import { AsnConvert, AsnParser } from '@peculiar/asn1-schema';
import { Attribute } from '@peculiar/asn1-x509';
import { csrAttributes } from './csr-attributes.js';
import { readDer, TAG } from './der-read.js';
import { oidOf } from './der-values.js';
import { hasOpenssl } from './fleet.fixture.js';
import { OID } from './oids.js';

/** Each member as the ASN.1 library reads it: an identifier, or `type=value,...`. */
function read(der: Uint8Array): string[] {
  return readDer(der).children.map((member) => {
    if (member.tag === TAG.oid) return oidOf(member, 'member');
    const { type, values } = AsnParser.parse(member.der, Attribute);
    return `${type}=${values.map((value) => oidOf(readDer(new Uint8Array(value)), 'value')).join()}`;
  });
}

describe('CSR attributes', () => {
  it('are none where there is nothing to say', () => {
    expect(csrAttributes({ challengePassword: false })).toBeUndefined();
  });

  test.each([
    [{ challengePassword: true }, [OID.challengePassword]],
    [{ challengePassword: false, keyAlgorithm: 'P-256' }, [`${OID.ecPublicKey}=${OID.p256}`, OID.ecdsaWithSha256]],
    [{ challengePassword: false, keyAlgorithm: 'P-384' }, [`${OID.ecPublicKey}=${OID.p384}`, OID.ecdsaWithSha384]],
    [{ challengePassword: true, keyAlgorithm: 'Ed25519' }, [OID.challengePassword, OID.ed25519]],
  ] as const)('of %j', (wanted, expected) => {
    expect(read(csrAttributes(wanted)!)).toEqual(expected);
  });

  it('hold the curve as the ASN.1 library would write it', () => {
    const [key] = readDer(csrAttributes({ challengePassword: false, keyAlgorithm: 'P-256' })!).children;
    const parsed = AsnParser.parse(key!.der, Attribute);
    expect(new Uint8Array(AsnConvert.serialize(parsed))).toEqual(new Uint8Array(key!.der));
  });
});

const withOpenssl = hasOpenssl() ? test : test.skip;
withOpenssl('CSR attributes as openssl prints them (skipped where openssl is not on the PATH)', () => {
  const der = csrAttributes({ challengePassword: true, keyAlgorithm: 'P-384' })!;
  const printed = execFileSync('openssl', ['asn1parse', '-inform', 'DER'], { input: der }).toString();
  const names = [...printed.matchAll(/d=(\d) .*OBJECT *:(\S+)/g)].map(([, depth, name]) => `${depth} ${name}`);
  expect(names).toEqual(['1 challengePassword', '2 id-ecPublicKey', '3 secp384r1', '1 ecdsa-with-SHA384']);
});
