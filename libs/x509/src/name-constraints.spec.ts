import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { readDer } from './der-read.js';
import { objectIdentifier, sequence, setOf, utf8String } from './der-write.js';
import { normalizedRdns } from './distinguished-name.js';
import { checkNameConstraints } from './name-constraints.js';
import { OID } from './oids.js';
import { type ParsedCertificate, parseCertificate } from './parse-certificate.js';
import { validateChain } from './validate-chain.js';

/** openssl makes the certificates and is the oracle; each row is [constraints, subject alternative names, subject, accepted]. */
const rows: [string, string, string, boolean][] = [
  ['permitted;DNS:example.com', 'DNS:example.com', '/CN=a', true],
  ['permitted;DNS:example.com', 'DNS:foo.bar.example.com', '/CN=a', true],
  ['permitted;DNS:example.com', 'DNS:FOO.EXAMPLE.COM', '/CN=a', true],
  ['permitted;DNS:example.com', 'DNS:notexample.com', '/CN=a', false],
  ['permitted;DNS:example.com', 'DNS:example.com,DNS:example.org', '/CN=a', false],
  ['permitted;DNS:example.com', 'IP:192.0.2.1', '/CN=a', true],
  ['excluded;DNS:example.com', 'DNS:foo.example.com', '/CN=a', false],
  ['excluded;DNS:example.com', 'DNS:example.org', '/CN=a', true],
  ['permitted;DNS:example.com,excluded;DNS:bad.example.com', 'DNS:bad.example.com', '/CN=a', false],
  ['permitted;IP:192.0.2.0/255.255.255.0', 'IP:192.0.2.7', '/CN=a', true],
  ['permitted;IP:192.0.2.0/255.255.255.0', 'IP:192.0.3.7', '/CN=a', false],
  ['permitted;IP:192.0.2.0/255.255.255.0', 'IP:2001:db8::1', '/CN=a', false],
  ['excluded;IP:2001:db8::/ffff:ffff::', 'IP:2001:db8::1', '/CN=a', false],
  ['permitted;URI:.example.com', 'URI:https://a.example.com/x', '/CN=a', true],
  ['permitted;URI:.example.com', 'URI:https://example.com/x', '/CN=a', false],
  ['permitted;URI:fleet.example.com', 'URI:spiffe://fleet.example.com/vehicle/a', '/CN=a', true],
  ['permitted;URI:fleet.example.com', 'URI:spiffe://other.example.com/vehicle/a', '/CN=a', false],
  ['permitted;email:example.com', 'email:a@example.com', '/CN=a', true],
  ['permitted;email:example.com', 'email:a@sub.example.com', '/CN=a', false],
  ['permitted;email:example.com', 'DNS:a', '/CN=a/emailAddress=a@example.org', false],
  ['excluded;email:a@example.com', 'email:b@example.com', '/CN=a', true],
  ['permitted;dirName:dn', 'DNS:a', '/O=Makers/CN=a', true],
  ['permitted;dirName:dn', 'DNS:a', '/O=MAKERS/CN=a', true],
  ['permitted;dirName:dn', 'DNS:a', '/O=Others/CN=a', false],
  ['excluded;dirName:dn', 'DNS:a', '/O=Makers/CN=a', false],
];

const folder = mkdtempSync(join(tmpdir(), 'outrider-nc-'));
const openssl = (...args: string[]) =>
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

beforeAll(() => {
  if (hasOpenssl) openssl('req', ...key, '-x509', '-subj', '/CN=unused', '-keyout', 'leaf.key', '-out', 'unused.crt');
});
afterAll(() => rmSync(folder, { recursive: true }));

function chainOf(
  constraints: string,
  names: string,
  subject: string,
): { ca: ParsedCertificate; leaf: ParsedCertificate } {
  const config = [
    '[req]',
    'distinguished_name=d',
    '[d]',
    '[dn]',
    'O=Makers',
    '[ca]',
    'basicConstraints=critical,CA:TRUE',
    'subjectKeyIdentifier=hash',
    `nameConstraints=critical,${constraints}`,
  ].join('\n');
  execFileSync('sh', ['-c', 'cat > ca.cnf'], { cwd: folder, input: config });
  openssl(
    'req',
    ...key,
    '-x509',
    '-config',
    'ca.cnf',
    '-extensions',
    'ca',
    '-subj',
    '/O=Makers/CN=CA',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
  );
  openssl(
    'req',
    '-new',
    '-x509',
    '-key',
    'leaf.key',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-subj',
    subject,
    '-out',
    'leaf.crt',
    '-addext',
    `subjectAltName=${names}`,
    '-addext',
    'basicConstraints=critical,CA:FALSE',
    '-addext',
    'authorityKeyIdentifier=keyid',
  );
  const read = (file: string) => parseCertificate(readFileSync(join(folder, file), 'utf8'));
  return { ca: read('ca.crt'), leaf: read('leaf.crt') };
}

test('no text of one attribute reads as two attributes of one RDN', () => {
  const attribute = (type: string, value: string) => sequence(objectIdentifier(type), utf8String(value));
  const rdns = (...attributes: Uint8Array[]) => normalizedRdns(readDer(sequence(setOf(attributes))), 'a name');
  const { commonName, organizationName } = OID;
  const two = rdns(attribute(commonName, 'plant'), attribute(organizationName, 'makers'));
  expect(rdns(attribute(organizationName, 'Makers'), attribute(commonName, ' PLANT'))).toEqual(two);
  expect(rdns(attribute(organizationName, `makers+${commonName}=plant`))).not.toEqual(two);
});

const withOpenssl = hasOpenssl ? describe : describe.skip;
withOpenssl('name constraints as openssl applies them (skipped where openssl is absent)', () => {
  test.each(rows)('%s | %s | %s -> %s', (constraints, names, subject, accepted) => {
    const { ca, leaf } = chainOf(constraints, names, subject);
    const oracle = spawnSync('openssl', ['verify', '-CAfile', 'ca.crt', 'leaf.crt'], { cwd: folder });
    expect(oracle.status === 0).toBe(accepted);
    const judge = () => validateChain(leaf, [], [ca], { now: new Date(), purpose: 'any' });
    if (accepted) expect(judge()).toHaveLength(2);
    else expect(judge).toThrow(expect.objectContaining({ code: 'x509.chain_invalid' }));
  });

  it('refuses what openssl lets through: a wildcard that may stand for an excluded host', () => {
    const { ca, leaf } = chainOf('excluded;DNS:bad.example.com', 'DNS:*.example.com', '/CN=a');
    expect(() => checkNameConstraints([leaf, ca])).toThrow(/excludes/);
  });

  it('refuses more names and subtrees than are worth comparing', () => {
    const { ca, leaf } = chainOf('permitted;DNS:example.com', 'DNS:example.com', '/CN=a');
    const names = leaf.extensions.map((one) =>
      one.oid === OID.subjectAltName ? { ...one, value: manyNames(40_000) } : one,
    );
    expect(() => checkNameConstraints([{ ...leaf, extensions: names }, ca, ca])).toThrow(/too many/);
  });

  it('refuses constraints that are not critical, and a mask with holes', () => {
    const { ca, leaf } = chainOf('permitted;IP:192.0.2.0/255.0.255.0', 'DNS:a', '/CN=a');
    expect(() => checkNameConstraints([leaf, ca])).toThrow(expect.objectContaining({ code: 'x509.malformed' }));
    const lax = ca.extensions.map((one) => ({ ...one, critical: false }));
    expect(() => checkNameConstraints([leaf, { ...ca, extensions: lax }])).toThrow(/not critical/);
  });
});

/** A SAN of `count` DNS names `a.example.com`. */
function manyNames(count: number): Uint8Array {
  const one = Buffer.concat([Buffer.from([0x82, 13]), Buffer.from('a.example.com')]);
  const length = one.length * count;
  const header = Buffer.from([0x30, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff]);
  return Buffer.concat([header, ...Array.from({ length: count }, () => one)]);
}
