import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { signDer } from '@outrider/crypto';
import type { TrustDomain } from '@outrider/ids';
import { issueCertificate, OID, type ParsedCertificate } from '@outrider/x509';
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

export interface CeremonyOptions {
  readonly out: string;
  readonly trustDomain: TrustDomain;
  readonly passphrase: string;
  readonly now: Date;
}

/**
 * Makes the root and the three intermediates, each key before its certificate. Run again it makes what is missing and nothing
 * else; what is there but does not fit (another passphrase, another trust domain, a lost key) stops it.
 * @returns the names of the authorities that this run made.
 */
export async function createAuthorities(options: CeremonyOptions): Promise<AuthorityName[]> {
  const folder = new CaFolder(options.out);
  const made: AuthorityName[] = [];
  let root: OpenAuthority | undefined;
  for (const name of AUTHORITY_NAMES) {
    const isThere = folder.hasCertificate(name);
    const authority = isThere ? openExisting(folder, name, options) : await create(folder, name, root, options);
    if (!isThere) made.push(name);
    if (name === 'fleet-root') root = authority;
  }
  writeServerTrust(folder, (root as OpenAuthority).certificate);
  return made;
}

function openExisting(folder: CaFolder, name: AuthorityName, options: CeremonyOptions): OpenAuthority {
  if (!folder.hasKey(name)) {
    throw new Error(
      `${folder.keyFile(name)} is gone; its certificate is there, so no other key will be made in its place`,
    );
  }
  const authority = openAuthority(folder.keyFile(name), folder.certificateFile(name), options.passphrase);
  const { attributes } = authority.certificate.subject;
  const organization = attributes.find(({ type }) => type === OID.organizationName)?.value;
  if (organization !== options.trustDomain) {
    throw new Error(`${folder.certificateFile(name)} is of trust domain ${organization}, not ${options.trustDomain}`);
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
  writeOnce(folder.certificateFile(name), certificatePem(certificate), 0o644);
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
