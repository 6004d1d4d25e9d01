import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TrustDomain } from '@outrider/ids';
import { OID, parseCertificate, parseCertificates, validateChain } from '@outrider/x509';
import { AUTHORITY_NAMES } from './authorities.js';
import { createAuthorities } from './create-authorities.command.js';
import { issueServers } from './issue-server.command.js';
import { readManifest } from './manifest.store.js';
import { ServerName } from './service-certificate.js';

const PASSPHRASE = 'correct horse battery staple 9172';
const NOW = new Date();
const trustDomain = TrustDomain.parse('fleet.example.com');
let out: string;

beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'outrider-ceremony-'));
});
afterEach(() => rmSync(out, { recursive: true, force: true }));

const ceremony = () => ({ out, trustDomain, passphrase: PASSPHRASE, now: NOW });
const file = (...names: string[]) => join(out, ...names);
const certificate = (name: string) => parseCertificate(readFileSync(file('trust', `${name}.crt`), 'utf8'));

/** As if the ceremony had been cut short before it came to that certificate. */
function forget(name: string): void {
  const { [name]: _, ...rest } = JSON.parse(readFileSync(file('authorities.json'), 'utf8'));
  writeFileSync(file('authorities.json'), JSON.stringify(rest));
  rmSync(file('trust', `${name}.crt`));
  rmSync(file('trust', `${name}.1.crt`));
}

describe('createAuthorities', () => {
  it('makes the root and the three intermediates under it', async () => {
    expect(await createAuthorities(ceremony())).toEqual([...AUTHORITY_NAMES]);
    const root = new X509Certificate(certificate('fleet-root').der);
    expect(root.publicKey.asymmetricKeyDetails?.namedCurve).toBe('secp384r1');
    for (const name of ['vehicle-ca', 'infrastructure-ca', 'control-ca']) {
      const ca = new X509Certificate(certificate(name).der);
      expect(ca.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
      expect(ca.checkIssued(root) && ca.verify(root.publicKey)).toBe(true);
      expect(certificate(name).basicConstraints).toEqual({ ca: true, pathLength: 0 });
    }
    expect(certificate('control-ca').extendedKeyUsages).toEqual([OID.outriderCommandSigning]);
    expect(readFileSync(file('trust', 'server-trust.pem'), 'utf8')).toContain(root.toString().trim());
  });

  it('keeps the keys encrypted, readable by their owner alone', async () => {
    await createAuthorities(ceremony());
    for (const name of AUTHORITY_NAMES) {
      const key = file('keys', `${name}.key`);
      expect(statSync(key).mode & 0o777).toBe(0o600);
      expect(() => createPrivateKey({ key: readFileSync(key), passphrase: 'another passphrase of length' })).toThrow();
      expect(createPrivateKey({ key: readFileSync(key), passphrase: PASSPHRASE }).asymmetricKeyType).toBe('ec');
    }
  });

  it('changes nothing when run again', async () => {
    await createAuthorities(ceremony());
    const before = AUTHORITY_NAMES.map((name) => certificate(name).thumbprint);
    expect(await createAuthorities(ceremony())).toEqual([]);
    expect(AUTHORITY_NAMES.map((name) => certificate(name).thumbprint)).toEqual(before);
  });

  it('goes on where it was cut short, with the key that is there', async () => {
    await createAuthorities(ceremony());
    const { keyThumbprint } = certificate('vehicle-ca');
    forget('vehicle-ca');
    forget('control-ca');
    rmSync(file('keys', 'control-ca.key'));
    expect(await createAuthorities(ceremony())).toEqual(['vehicle-ca', 'control-ca']);
    expect(certificate('vehicle-ca').keyThumbprint).toBe(keyThumbprint);
  });

  it('names key, certificate and state of each in its manifest', async () => {
    await createAuthorities(ceremony());
    const manifest = readManifest(file('authorities.json'));
    expect(Object.keys(manifest)).toEqual([...AUTHORITY_NAMES]);
    expect(manifest['vehicle-ca']).toEqual({
      profile: 'vehicle-ca',
      issuer: 'fleet-root',
      generations: [
        {
          generation: 1,
          key: { kind: 'file', file: 'keys/vehicle-ca.key' },
          certificate: 'trust/vehicle-ca.1.crt',
          state: 'active',
          since: NOW.toISOString(),
        },
      ],
    });
    expect(readFileSync(file('trust', 'vehicle-ca.1.crt'))).toEqual(readFileSync(file('trust', 'vehicle-ca.crt')));
  });

  it('adopts a fleet that was made before there were manifests', async () => {
    await createAuthorities(ceremony());
    const before = AUTHORITY_NAMES.map((name) => certificate(name).thumbprint);
    rmSync(file('authorities.json'));
    for (const name of AUTHORITY_NAMES) rmSync(file('trust', `${name}.1.crt`));
    expect(await createAuthorities(ceremony())).toEqual([]);
    expect(AUTHORITY_NAMES.map((name) => certificate(name).thumbprint)).toEqual(before);
    expect(Object.keys(readManifest(file('authorities.json')))).toEqual([...AUTHORITY_NAMES]);
  });

  it.each([
    ['a lost key', () => rmSync(file('keys', 'fleet-root.key')), {}],
    ['another passphrase', () => undefined, { passphrase: 'another passphrase of length' }],
    ['another trust domain', () => undefined, { trustDomain: TrustDomain.parse('other.example.com') }],
  ])('stops at %s and overwrites nothing', async (_, spoil, changes) => {
    await createAuthorities(ceremony());
    const before = AUTHORITY_NAMES.map((name) => certificate(name).thumbprint);
    spoil();
    await expect(createAuthorities({ ...ceremony(), ...changes })).rejects.toThrow();
    expect(AUTHORITY_NAMES.map((name) => certificate(name).thumbprint)).toEqual(before);
  });
});

describe('issueServers', () => {
  const servers = (services: ServerName[], changes: object = {}) =>
    issueServers({ ...ceremony(), to: file('services'), services, hosts: { dns: [], ips: [] }, ...changes });
  const chainOf = (service: string) => parseCertificates(readFileSync(file('services', `${service}.crt`), 'utf8'));

  it('issues a chain to the root for localhost and the service SPIFFE id', async () => {
    await createAuthorities(ceremony());
    expect(await servers(['token', 'telemetry'])).toEqual(['token', 'telemetry']);
    const [leaf, ...rest] = chainOf('token');
    validateChain(leaf!, rest, [certificate('fleet-root')], { now: NOW, purpose: 'serverAuth' });
    expect(leaf).toMatchObject({
      sanUris: ['spiffe://fleet.example.com/service/token'],
      sanDns: ['localhost'],
      sanIps: ['127.0.0.1', '0:0:0:0:0:0:0:1'],
    });
    const oracle = new X509Certificate(leaf!.der);
    expect([oracle.checkHost('localhost'), oracle.checkIP('127.0.0.1'), oracle.checkIP('::1')]).not.toContain(
      undefined,
    );
    expect(oracle.checkPrivateKey(createPrivateKey(readFileSync(file('services', 'token.key'))))).toBe(true);
    expect(statSync(file('services', 'token.key')).mode & 0o777).toBe(0o600);
  });

  it('certifies a proxy by a name that no service has', async () => {
    await createAuthorities(ceremony());
    expect(await servers(['edge-1'])).toEqual(['edge-1']);
    expect(chainOf('edge-1')[0]?.sanUris).toEqual(['spiffe://fleet.example.com/service/edge-1']);
    expect(
      ['edge-1', 'token', 'nats', 'postgres', 'edge-', 'edge', 'Edge-1', 'edge-1/x'].map(
        (name) => ServerName.safeParse(name).success,
      ),
    ).toEqual([...Array(4).fill(true), ...Array(4).fill(false)]);
  });

  it('makes who answers OCSP for the others: no name, no other use, nobody to ask about itself', async () => {
    await createAuthorities(ceremony());
    expect(await servers(['ocsp-signer'])).toEqual(['ocsp-signer']);
    expect(await servers(['ocsp-signer'])).toEqual([]);
    const [leaf] = chainOf('ocsp-signer');
    expect(leaf).toMatchObject({ sanUris: [], sanDns: [], sanIps: [], extendedKeyUsages: [OID.ocspSigning] });
    expect(leaf?.extensions.map(({ oid }) => oid)).toContain(OID.ocspNoCheck);
    expect(leaf?.authorityKeyId).toBe(certificate('infrastructure-ca').subjectKeyId);
  });

  it('issues again when less than a third of the life is left, or a new host is asked for', async () => {
    await createAuthorities(ceremony());
    await servers(['token']);
    const days = (n: number) => new Date(NOW.getTime() + n * 86_400_000);
    expect(await servers(['token'], { now: days(59) })).toEqual([]);
    expect(await servers(['token'], { now: days(61) })).toEqual(['token']);
    expect(await servers(['token'], { now: days(61), hosts: { dns: ['token.example.com'], ips: [] } })).toEqual([
      'token',
    ]);
  });

  it('issues again when key and certificate do not belong together', async () => {
    await createAuthorities(ceremony());
    await servers(['token', 'command']);
    writeFileSync(file('services', 'token.key'), readFileSync(file('services', 'command.key')));
    expect(await servers(['token', 'command'])).toEqual(['token']);
  });
});

describe('ceremony.command', () => {
  const command = join(import.meta.dirname, '../ceremony.command.js');

  it('does both from the command line', () => {
    const passphraseFile = file('passphrase');
    writeFileSync(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
    const shared = ['--out', file('ca'), '--trust-domain', trustDomain, '--passphrase-file', passphraseFile];
    expect(JSON.parse(execFileSync(process.execPath, [command, ...shared]).toString()).made).toHaveLength(4);
    const issue = ['issue-server', ...shared, '--to', file('services'), '--service', 'gateway', '--ip', '10.0.0.1'];
    expect(JSON.parse(execFileSync(process.execPath, [command, ...issue]).toString())).toEqual({ made: ['gateway'] });
    expect(JSON.parse(execFileSync(process.execPath, [command, ...issue]).toString())).toEqual({ made: [] });
  });

  it.each([
    ['no arguments', [], 2],
    [
      'an unknown service',
      [
        'issue-server',
        '--to',
        'x',
        '--out',
        'x',
        '--trust-domain',
        'a',
        '--passphrase-file',
        'x',
        '--service',
        'ledgers',
      ],
      2,
    ],
    [
      'a passphrase file that is not there',
      ['--out', '/nonexistent/x', '--trust-domain', 'a', '--passphrase-file', '/nonexistent'],
      1,
    ],
  ])('says what is wrong with %s', (_, given, code) => {
    const { status, stderr } = spawnSync(process.execPath, [command, ...given]);
    expect([status, stderr.length > 0]).toEqual([code, true]);
  });
});
