import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { signDer } from '@outrider/crypto';
import type { TrustDomain } from '@outrider/ids';
import { issueCertificate, OID, type ParsedCertificate, parseCertificate } from '@outrider/x509';
import { activeOf, type ManifestAuthority } from '../authorities/manifest.js';
import { AUTHORITIES, AUTHORITY_NAMES, type AuthorityName, authorityDescription } from './authorities.js';
import {
  CaFolder,
  certificatePem,
  encryptedPem,
  newPrivateKey,
  newSerialNumber,
  type OpenAuthority,
  openAuthority,
  publicKeyDer,
  readEncryptedKey,
  writeOnce,
} from './ca-files.store.js';
import { ManifestFile } from './manifest.store.js';

export interface CeremonyOptions {
  readonly out: string;
  readonly trustDomain: TrustDomain;
  readonly passphrase: string;
  readonly now: Date;
}

/**
 * Makes the root and the three intermediates, each key before its certificate and that before its line in the manifest. Run again
 * it makes what is missing and nothing else; what is there but does not fit (another passphrase, another trust domain, a lost key)
 * stops it.
 * @returns the names of the authorities that this run made.
 */
export async function createAuthorities(options: CeremonyOptions): Promise<AuthorityName[]> {
  const folder = new CaFolder(options.out);
  const manifest = new ManifestFile(options.out);
  const made: AuthorityName[] = [];
  let root: OpenAuthority | undefined;
  for (const name of AUTHORITY_NAMES) {
    const entry = manifest.read()[name] ?? adopted(folder, name, options.now);
    const authority = entry ? openExisting(folder, name, entry, options) : await create(folder, name, root, options);
    if (!entry) made.push(name);
    manifest.put(name, entry ?? firstGeneration(name, options.now));
    if (name === 'fleet-root') root = authority;
  }
  writeServerTrust(folder, (root as OpenAuthority).certificate);
  return made;
}

function firstGeneration(name: AuthorityName, now: Date): ManifestAuthority {
  const { profile, issuer } = AUTHORITIES[name];
  const key = { kind: 'file', file: `keys/${name}.key` } as const;
  return {
    profile,
    issuer,
    generations: [
      { generation: 1, key, certificate: firstCertificate(name), state: 'active', since: now.toISOString() },
    ],
  };
}

const firstCertificate = (name: AuthorityName): string => `trust/${name}.1.crt`;

/** An authority that is in no manifest: its certificate was made by a ceremony cut short, or before there were manifests. */
function adopted(folder: CaFolder, name: AuthorityName, now: Date): ManifestAuthority | undefined {
  const file = join(folder.path, firstCertificate(name));
  if (!existsSync(file)) {
    if (!folder.hasCertificate(name)) return undefined;
    const certificate = parseCertificate(readFileSync(folder.certificateFile(name), 'utf8'));
    writeOnce(file, certificatePem(certificate), 0o644);
  }
  return firstGeneration(name, now);
}

function openExisting(
  folder: CaFolder,
  name: AuthorityName,
  entry: ManifestAuthority,
  options: CeremonyOptions,
): OpenAuthority {
  const { key, certificate } = activeOf(entry);
  const certificateFile = join(folder.path, certificate);
  if (key.kind !== 'file') throw new Error(`the key of ${name} is in a token`);
  const keyFile = join(folder.path, key.file);
  if (!existsSync(keyFile)) {
    throw new Error(`${keyFile} is gone; its certificate is there, so no other key will be made in its place`);
  }
  const authority = openAuthority(keyFile, certificateFile, options.passphrase);
  const { attributes } = authority.certificate.subject;
  const organization = attributes.find(({ type }) => type === OID.organizationName)?.value;
  if (organization !== options.trustDomain) {
    throw new Error(`${certificateFile} is of trust domain ${organization}, not ${options.trustDomain}`);
  }
  return authority;
}

async function create(
  folder: CaFolder,
  name: AuthorityName,
  root: OpenAuthority | undefined,
  options: CeremonyOptions,
): Promise<OpenAuthority> {
  const privateKey = keyFor(folder, name, options.passphrase);
  const spkiDer = new Uint8Array(publicKeyDer(privateKey));
  const description = authorityDescription(name, options.trustDomain, spkiDer, newSerialNumber(), options.now);
  const issuer = AUTHORITIES[name].issuer === 'self' ? { privateKey, certificate: 'self' as const } : root;
  if (issuer === undefined) throw new Error(`${name} before its issuer`);
  const certificate = await issueCertificate(description, issuer.certificate, (tbs) => signDer(issuer.privateKey, tbs));
  folder.log(certificate, description.profile);
  writeOnce(join(folder.path, firstCertificate(name)), certificatePem(certificate), 0o644);
  return { certificate, privateKey };
}

/** A key without a certificate is what a ceremony cut short leaves behind: it is used. */
function keyFor(folder: CaFolder, name: AuthorityName, passphrase: string) {
  const file = folder.keyFile(name);
  if (folder.hasKey(name)) return readEncryptedKey(file, passphrase);
  const privateKey = newPrivateKey(AUTHORITIES[name].curve);
  writeOnce(file, encryptedPem(privateKey, passphrase), 0o600);
  return privateKey;
}

/** What clients of the services pin: the root, since not every TLS client takes an intermediate as its anchor. */
function writeServerTrust(folder: CaFolder, root: ParsedCertificate): void {
  const file = join(folder.path, 'trust', 'server-trust.pem');
  if (!existsSync(file)) writeOnce(file, certificatePem(root), 0o644);
}
