import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustDomain } from '@outrider/ids';
import { issueCertificate, OID, type ParsedCertificate, parseCertificate } from '@outrider/x509';
import { activeOf, type ManifestAuthority } from '../authorities/manifest.js';
import type { CaKey } from '../keys/ca-key.js';
import { AUTHORITIES, AUTHORITY_NAMES, type Authority, authorityDescription } from './authorities.js';
import { CaFolder, certificatePem, newSerialNumber, writeOnce } from './ca-files.store.js';
import { hasKey, type KeyPlace, keyReference, makeFirstKey, openKey } from './ceremony-keys.store.js';
import { ManifestFile } from './manifest.store.js';

export interface CeremonyOptions extends KeyPlace {
  readonly trustDomain: TrustDomain;
  /** With a token, the issuing CAs' keys are made in it; the root's stays a file, to be taken offline, unless this says otherwise. */
  readonly rootInToken?: boolean;
  readonly now: Date;
}

/** An authority ready to sign. */
interface OpenedAuthority {
  readonly certificate: ParsedCertificate;
  readonly key: CaKey;
}

/** A further issuing CA for vehicles, e.g. `vehicle-ca-trucks`. @returns its name, or nothing where it is there already. */
export async function createVehicleAuthority(name: string, options: CeremonyOptions): Promise<string[]> {
  const manifest = new ManifestFile(options.out);
  const there = manifest.read();
  const rootEntry = there['fleet-root'];
  if (rootEntry === undefined) throw new Error(`${manifest.path} names no fleet-root: run create first`);
  if (Object.hasOwn(AUTHORITIES, name)) throw new Error(`${name} is one of the four that create makes`);
  const authority: Authority = { ...AUTHORITIES['vehicle-ca'], commonName: `Vehicle Issuing CA ${name}` };
  const root = openExisting('fleet-root', rootEntry, options);
  return (await ensure(name, authority, root, options)).made ? [name] : [];
}

/**
 * Makes the root and the three intermediates, each key before its certificate and that before its line in the manifest. Run again
 * it makes what is missing and nothing else; what is there but does not fit (another passphrase, another trust domain, a lost key)
 * stops it.
 * @returns the names of the authorities that this run made.
 */
export async function createAuthorities(options: CeremonyOptions): Promise<string[]> {
  const made: string[] = [];
  let root: OpenedAuthority | undefined;
  for (const name of AUTHORITY_NAMES) {
    const ensured = await ensure(name, AUTHORITIES[name], root, options);
    if (ensured.made) made.push(name);
    root ??= ensured;
  }
  writeServerTrust(options.out, (root as OpenedAuthority).certificate);
  return made;
}

async function ensure(
  name: string,
  authority: Authority,
  root: OpenedAuthority | undefined,
  options: CeremonyOptions,
): Promise<OpenedAuthority & { made: boolean }> {
  const manifest = new ManifestFile(options.out);
  const entry = manifest.read()[name] ?? adopted(name, authority, options);
  const opened = entry ? openExisting(name, entry, options) : await create(name, authority, root, options);
  manifest.put(name, entry ?? firstGeneration(name, authority, options));
  return { ...opened, made: entry === undefined };
}

function firstGeneration(name: string, authority: Authority, options: CeremonyOptions): ManifestAuthority {
  const { profile, issuer } = authority;
  const key = firstKey(name, authority, options);
  const since = options.now.toISOString();
  return {
    profile,
    issuer,
    generations: [{ generation: 1, key, certificate: firstCertificate(name), state: 'active', since }],
  };
}

const firstCertificate = (name: string): string => `trust/${name}.1.crt`;

function firstKey(name: string, { issuer }: Authority, { token, rootInToken = false }: CeremonyOptions) {
  return keyReference(token !== undefined && (issuer !== 'self' || rootInToken) ? 'pkcs11' : 'file', name, 1);
}

/** An authority that is in no manifest: its certificate was made by a ceremony cut short, or before there were manifests. */
function adopted(name: string, authority: Authority, options: CeremonyOptions): ManifestAuthority | undefined {
  const folder = new CaFolder(options.out);
  const file = join(folder.path, firstCertificate(name));
  if (!existsSync(file)) {
    if (!folder.hasCertificate(name)) return undefined;
    const certificate = parseCertificate(readFileSync(folder.certificateFile(name), 'utf8'));
    writeOnce(file, certificatePem(certificate), 0o644);
  }
  return firstGeneration(name, authority, options);
}

function openExisting(name: string, entry: ManifestAuthority, options: CeremonyOptions): OpenedAuthority {
  const generation = activeOf(entry);
  const certificateFile = join(options.out, generation.certificate);
  const certificate = parseCertificate(readFileSync(certificateFile, 'utf8'));
  if (!hasKey(options, generation.key)) {
    throw new Error(`the key of ${name} is gone; its certificate is there, so no other key will be made in its place`);
  }
  const key = openKey(options, generation.key);
  if (!Buffer.from(key.spkiDer).equals(certificate.spkiDer)) {
    throw new Error(`the key of ${name} is not that of ${certificateFile}`);
  }
  const organization = certificate.subject.attributes.find(({ type }) => type === OID.organizationName)?.value;
  if (organization !== options.trustDomain) {
    throw new Error(`${certificateFile} is of trust domain ${organization}, not ${options.trustDomain}`);
  }
  return { certificate, key };
}

async function create(
  name: string,
  authority: Authority,
  root: OpenedAuthority | undefined,
  options: CeremonyOptions,
): Promise<OpenedAuthority> {
  const folder = new CaFolder(options.out);
  const key = makeFirstKey(options, firstKey(name, authority, options), authority.curve);
  const description = authorityDescription(authority, options.trustDomain, key.spkiDer, newSerialNumber(), options.now);
  const issuer = authority.issuer === 'self' ? { key, certificate: 'self' as const } : root;
  if (issuer === undefined) throw new Error(`${name} before its issuer`);
  const certificate = await issueCertificate(description, issuer.certificate, (tbs) => issuer.key.sign(tbs));
  folder.log(certificate, description.profile);
  writeOnce(join(folder.path, firstCertificate(name)), certificatePem(certificate), 0o644);
  return { certificate, key };
}

/** What clients of the services pin: the root, since not every TLS client takes an intermediate as its anchor. */
function writeServerTrust(out: string, root: ParsedCertificate): void {
  const file = join(out, 'trust', 'server-trust.pem');
  if (!existsSync(file)) writeOnce(file, certificatePem(root), 0o644);
}
