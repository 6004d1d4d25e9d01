/** The four authorities of a fleet: what each is called, who signs it, and the certificate it gets. */
import type { SerialNumber, TrustDomain } from '@outrider/ids';
import { type CertificateDescription, OID, PROFILES, type ProfileName } from '@outrider/x509';

export const AUTHORITY_NAMES = ['fleet-root', 'vehicle-ca', 'infrastructure-ca', 'control-ca'] as const;
/** Names the files too: `trust/<name>.crt`, `keys/<name>.key`. */
export type AuthorityName = (typeof AUTHORITY_NAMES)[number];

export interface Authority {
  readonly profile: ProfileName;
  readonly commonName: string;
  readonly curve: 'P-256' | 'P-384';
  readonly issuer: 'self' | 'fleet-root';
}

export const AUTHORITIES: Readonly<Record<AuthorityName, Authority>> = {
  'fleet-root': { profile: 'root', commonName: 'Fleet Root CA', curve: 'P-384', issuer: 'self' },
  'vehicle-ca': { profile: 'vehicle-ca', commonName: 'Vehicle Issuing CA', curve: 'P-256', issuer: 'fleet-root' },
  'infrastructure-ca': {
    profile: 'infrastructure-ca',
    commonName: 'Infrastructure CA',
    curve: 'P-256',
    issuer: 'fleet-root',
  },
  'control-ca': { profile: 'control-ca', commonName: 'Control CA', curve: 'P-256', issuer: 'fleet-root' },
};

const BACKDATE_MS = 3_600_000;

/** @param serialNumber 128 random bits. */
export function authorityDescription(
  { profile, commonName }: Authority,
  trustDomain: TrustDomain,
  spkiDer: Uint8Array,
  serialNumber: SerialNumber,
  now: Date,
): CertificateDescription {
  const notBefore = new Date(now.getTime() - BACKDATE_MS);
  return {
    profile,
    serialNumber,
    // The organization is the trust domain: two fleets' authorities never share a name.
    subject: [
      { type: OID.organizationName, value: trustDomain },
      { type: OID.commonName, value: commonName },
    ],
    spkiDer,
    notBefore,
    notAfter: new Date(notBefore.getTime() + PROFILES[profile].lifetimeSeconds.default * 1000),
  };
}
