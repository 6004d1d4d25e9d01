import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DomainError } from '@outrider/errors';
import { type ParsedCertificate, parseCertificate } from '@outrider/x509';
import { readManifest } from '../ceremony/manifest.store.js';
import type { CaKey } from '../keys/ca-key.js';
import {
  type AuthoritiesManifest,
  activeOf,
  type Generation,
  type KeyReference,
  type ManifestAuthority,
  signingOf,
  trustedOf,
} from './manifest.js';

/** Authorities of other profiles are kept offline: their keys are never opened here, even where their files lie beside. */
const ONLINE_PROFILES: readonly string[] = ['vehicle-ca', 'control-ca'];
/** That one signs nothing but certificates of services, and stands apart from the others: no request for a certificate or a list reaches it. */
const INFRASTRUCTURE = 'infrastructure-ca';

/** One generation of an authority, ready to sign. */
export interface OpenGeneration {
  readonly authority: string;
  /** The certificate profile of the authority itself. */
  readonly profile: string;
  readonly generation: number;
  readonly certificate: ParsedCertificate;
  readonly key: CaKey;
}

/** The manifest as it was read at one moment, with every certificate it names and every key that signs. */
export interface OpenedAuthorities {
  /** Of the manifest and of all certificates: another means that something has changed. */
  readonly fingerprint: string;
  /** By name, those that sign here. */
  readonly active: ReadonlyMap<string, OpenGeneration>;
  /** Those, and the published and outgoing ones and some that were retired early, which sign CRLs alone. */
  readonly signing: readonly OpenGeneration[];
  /** By name, of every authority: what stands in its bundle. */
  readonly trusted: ReadonlyMap<string, readonly ParsedCertificate[]>;
  /** Where services have their certificates renewed here. */
  readonly infrastructure: OpenGeneration | undefined;
  /** Thumbprints of the keys of all of them. */
  readonly authorityKeys: ReadonlySet<string>;
}

export interface ManifestFiles {
  /** When they were read: what is over by then is not among them. */
  readonly readAt: Date;
  readonly manifest: AuthoritiesManifest;
  readonly fingerprint: string;
  readonly certificates: ReadonlyMap<string, ParsedCertificate>;
}

/** @throws Error naming the file that is missing or wrong. */
export function readManifestFiles(file: string, now: Date): ManifestFiles {
  const manifest = readManifest(file);
  const certificates = new Map<string, ParsedCertificate>();
  const parts = [JSON.stringify(manifest)];
  for (const [name, authority] of Object.entries(manifest)) {
    for (const generation of signingOf(authority, now)) {
      const certificate = readCertificate(join(dirname(file), generation.certificate));
      certificates.set(`${name}/${generation.generation}`, certificate);
      parts.push(certificate.thumbprint);
    }
  }
  return { readAt: now, manifest, fingerprint: parts.join(' '), certificates };
}

function readCertificate(file: string): ParsedCertificate {
  try {
    const certificate = parseCertificate(readFileSync(file, 'utf8'));
    if (!certificate.basicConstraints?.ca || certificate.subjectKeyId === undefined)
      throw new Error('not a CA certificate');
    return certificate;
  } catch (cause) {
    throw new Error(`${file}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * @param withInfrastructure whether the key of the infrastructure CA is opened too.
 * @param open gives the key for a reference; called for the keys that sign here and for no other.
 * @throws DomainError `ca.key_unavailable` for a key that cannot be opened or is not its certificate's.
 */
export function openAuthorities(
  { readAt, manifest, fingerprint, certificates }: ManifestFiles,
  withInfrastructure: boolean,
  open: (reference: KeyReference, certificate: ParsedCertificate) => CaKey,
): OpenedAuthorities {
  const certificateOf = (name: string, { generation }: Generation) =>
    certificates.get(`${name}/${generation}`) as ParsedCertificate;
  const openGeneration = (name: string, { profile }: ManifestAuthority, generation: Generation): OpenGeneration => {
    const certificate = certificateOf(name, generation);
    const key = open(generation.key, certificate);
    if (!Buffer.from(key.spkiDer).equals(certificate.spkiDer)) {
      const detail = `the key of ${name} ${generation.generation} is not that of its certificate`;
      throw new DomainError('ca.key_unavailable', { detail });
    }
    return { authority: name, profile, generation: generation.generation, certificate, key };
  };
  /** Whoever destroys the key of a retired generation ends its lists, and nothing else. */
  const openKept = (name: string, authority: ManifestAuthority, generation: Generation): OpenGeneration | undefined => {
    try {
      return openGeneration(name, authority, generation);
    } catch (error) {
      if (generation.state === 'retired') return undefined;
      throw error;
    }
  };
  const active = new Map<string, OpenGeneration>();
  const signing: OpenGeneration[] = [];
  const trusted = new Map<string, readonly ParsedCertificate[]>();
  for (const [name, authority] of Object.entries(manifest)) {
    trusted.set(
      name,
      trustedOf(authority).map((generation) => certificateOf(name, generation)),
    );
    if (!ONLINE_PROFILES.includes(authority.profile)) continue;
    for (const generation of signingOf(authority, readAt)) {
      const opened = openKept(name, authority, generation);
      if (opened === undefined) continue;
      signing.push(opened);
      if (generation === activeOf(authority)) active.set(name, opened);
    }
  }
  const authorityKeys = new Set([...trusted.values()].flat().map(({ keyThumbprint }) => keyThumbprint));
  const services = withInfrastructure ? manifest[INFRASTRUCTURE] : undefined;
  if (withInfrastructure && services?.profile !== INFRASTRUCTURE) {
    throw new DomainError('ca.key_unavailable', {
      detail: 'serviceRenewal is on, and the manifest has no infrastructure-ca',
    });
  }
  const infrastructure = services && openGeneration(INFRASTRUCTURE, services, activeOf(services));
  return { infrastructure, fingerprint, active, signing, trusted, authorityKeys };
}
