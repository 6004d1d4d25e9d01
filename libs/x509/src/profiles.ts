/** Certificate profiles: what each kind of certificate must hold, as data; issuing fills them in, the lint holds every result to them. */
import type { KeyUsage } from './extensions.js';
import { OID } from './oids.js';
import type { CertificateKeyAlgorithm } from './public-key.js';

export const PROFILE_NAMES = [
  'root',
  'root-cross',
  'vehicle-ca',
  'infrastructure-ca',
  'control-ca',
  'issuing-ca',
  'factory-ca',
  'factory-device',
  'vehicle',
  'service-server',
  'command-signer',
] as const;
export type ProfileName = (typeof PROFILE_NAMES)[number];

/**
 * `sanUri`: the SPIFFE id that the certificate must hold, and no other URI: `vehicle` = `/vehicle/<CN>`, `service` = `/service/<CN>`,
 * `command` = `/service/command` whatever the CN. `hosts`: whether DNS names and IP addresses may stand in the SAN.
 */
export interface CertificateProfile {
  readonly name: ProfileName;
  readonly ca: { readonly pathLength: number | undefined } | undefined;
  readonly keyAlgorithms: readonly CertificateKeyAlgorithm[];
  readonly keyUsage: readonly KeyUsage[];
  readonly extendedKeyUsages: readonly string[];
  readonly sanUri: 'vehicle' | 'service' | 'command' | undefined;
  readonly hosts: boolean;
  readonly subjectSerialNumber: boolean;
  /** `cross`: the issuer has the same name and another key (RFC 4210 §4.4). */
  readonly selfSigned: boolean | 'cross';
  /** CRL distribution point and OCSP URL, when the caller gives them; a profile that `requires` them is not signed without. */
  readonly revocationPointers: 'required' | 'optional' | 'none';
  readonly defaultLifetimeSeconds: number;
  readonly maxLifetimeSeconds: number;
}

const DAY_SECONDS = 86_400;
const YEAR_SECONDS = 365 * DAY_SECONDS;
const OWN_KEYS: readonly CertificateKeyAlgorithm[] = ['P-256', 'P-384', 'Ed25519'];

const LEAF = {
  ca: undefined,
  keyUsage: ['digitalSignature'],
  hosts: false,
  subjectSerialNumber: false,
  selfSigned: false,
} as const satisfies Partial<CertificateProfile>;

const AUTHORITY = {
  keyAlgorithms: ['P-256', 'P-384'],
  keyUsage: ['keyCertSign', 'cRLSign'],
  extendedKeyUsages: [],
  sanUri: undefined,
  hosts: false,
  subjectSerialNumber: false,
  revocationPointers: 'optional',
} as const satisfies Partial<CertificateProfile>;

const INTERMEDIATE = {
  ...AUTHORITY,
  ca: { pathLength: 0 },
  selfSigned: false,
  defaultLifetimeSeconds: 10 * YEAR_SECONDS,
  maxLifetimeSeconds: 15 * YEAR_SECONDS,
} as const satisfies Partial<CertificateProfile>;

export const PROFILES: Readonly<Record<ProfileName, CertificateProfile>> = {
  root: {
    ...AUTHORITY,
    name: 'root',
    ca: { pathLength: 1 },
    selfSigned: true,
    revocationPointers: 'none',
    defaultLifetimeSeconds: 20 * YEAR_SECONDS,
    maxLifetimeSeconds: 30 * YEAR_SECONDS,
  },
  /** A root by another root's key, during a rollover. */
  'root-cross': {
    ...AUTHORITY,
    name: 'root-cross',
    ca: { pathLength: 1 },
    selfSigned: 'cross',
    revocationPointers: 'none',
    defaultLifetimeSeconds: 20 * YEAR_SECONDS,
    maxLifetimeSeconds: 30 * YEAR_SECONDS,
  },
  // The three under the root are held to their use by their own EKU, so that anchoring the root confuses none of them either.
  'vehicle-ca': { ...INTERMEDIATE, name: 'vehicle-ca', extendedKeyUsages: [OID.clientAuth, OID.ocspSigning] },
  'infrastructure-ca': {
    ...INTERMEDIATE,
    name: 'infrastructure-ca',
    extendedKeyUsages: [OID.serverAuth, OID.clientAuth, OID.ocspSigning],
  },
  'control-ca': { ...INTERMEDIATE, name: 'control-ca', extendedKeyUsages: [OID.outriderCommandSigning] },
  /** An intermediate for any use, as manufacturers run them. */
  'issuing-ca': { ...INTERMEDIATE, name: 'issuing-ca', extendedKeyUsages: [] },
  /** The demo manufacturer's own CA: a self-signed anchor that signs factory certificates only. */
  'factory-ca': {
    ...AUTHORITY,
    name: 'factory-ca',
    ca: { pathLength: 0 },
    selfSigned: true,
    revocationPointers: 'none',
    defaultLifetimeSeconds: 20 * YEAR_SECONDS,
    maxLifetimeSeconds: 30 * YEAR_SECONDS,
  },
  /** IDevID (IEEE 802.1AR): named by the X.520 serialNumber attribute, meant to outlive the vehicle. */
  'factory-device': {
    ...LEAF,
    name: 'factory-device',
    keyAlgorithms: OWN_KEYS,
    extendedKeyUsages: [OID.clientAuth],
    sanUri: undefined,
    subjectSerialNumber: true,
    revocationPointers: 'none',
    defaultLifetimeSeconds: 15 * YEAR_SECONDS,
    maxLifetimeSeconds: 30 * YEAR_SECONDS,
  },
  /** LDevID: what a vehicle works with from day to day. */
  vehicle: {
    ...LEAF,
    name: 'vehicle',
    keyAlgorithms: OWN_KEYS,
    extendedKeyUsages: [OID.clientAuth],
    sanUri: 'vehicle',
    revocationPointers: 'required',
    defaultLifetimeSeconds: DAY_SECONDS,
    maxLifetimeSeconds: 30 * DAY_SECONDS,
  },
  /** A service's listener, its client side towards others, and its signed requests to fleet-ca. */
  'service-server': {
    ...LEAF,
    name: 'service-server',
    keyAlgorithms: ['P-256', 'P-384'],
    extendedKeyUsages: [OID.serverAuth, OID.clientAuth],
    sanUri: 'service',
    hosts: true,
    revocationPointers: 'optional',
    defaultLifetimeSeconds: 90 * DAY_SECONDS,
    maxLifetimeSeconds: 398 * DAY_SECONDS,
  },
  /** Signs commands. No TLS usage, so that it opens no connection; its EKU is ours, so that nothing else verifies commands. */
  'command-signer': {
    ...LEAF,
    name: 'command-signer',
    keyAlgorithms: ['P-256'],
    extendedKeyUsages: [OID.outriderCommandSigning],
    sanUri: 'command',
    revocationPointers: 'optional',
    defaultLifetimeSeconds: DAY_SECONDS,
    maxLifetimeSeconds: 2 * DAY_SECONDS,
  },
};
