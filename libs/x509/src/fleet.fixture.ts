/** A small real fleet for the tests: root, issuing CA and leaves, with fresh keys for each run. */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { signDer } from '@outrider/crypto';
import { SerialNumber } from '@outrider/ids';
import { type CertificateDescription, issueCertificate } from './issue-certificate.js';
import { OID } from './oids.js';
import type { ParsedCertificate } from './parse-certificate.js';
import type { ProfileName } from './profiles.js';

export const NOW = new Date('2026-03-01T12:00:00Z');
export const TRUST_DOMAIN = 'fleet.example.com';

export interface Party {
  readonly certificate: ParsedCertificate;
  readonly privateKey: KeyObject;
}

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly spkiDer: Uint8Array;
}

export function newKeyPair(type: 'P-256' | 'P-384' | 'Ed25519'): KeyPair {
  const { privateKey, publicKey } =
    type === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: type });
  return { privateKey, publicKey, spkiDer: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })) };
}

/** 16 random bytes with the top bit set, so that the DER encoding shows whether the sign byte is written. */
export function newSerial(): SerialNumber {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  return SerialNumber.parse(bytes.toString('hex'));
}

export const commonName = (value: string) => [{ type: OID.commonName, value }];

export async function issue(
  profile: ProfileName,
  issuer: Party | 'self',
  keys: KeyPair,
  overrides: Partial<CertificateDescription> = {},
): Promise<Party> {
  const description: CertificateDescription = {
    profile,
    serialNumber: newSerial(),
    subject: commonName(profile),
    spkiDer: keys.spkiDer,
    notBefore: new Date(NOW.getTime() - 60_000),
    notAfter: new Date(NOW.getTime() + 86_400_000),
    ...overrides,
  };
  const signer = issuer === 'self' ? keys.privateKey : issuer.privateKey;
  const from = issuer === 'self' ? 'self' : issuer.certificate;
  const certificate = await issueCertificate(description, from, (tbs) => signDer(signer, tbs));
  return { certificate, privateKey: keys.privateKey };
}

export function vehicleOverrides(deviceId: string): Partial<CertificateDescription> {
  return {
    subject: commonName(deviceId),
    sanUri: `spiffe://${TRUST_DOMAIN}/vehicle/${deviceId}`,
    crlUrl: 'http://127.0.0.1:9105/crl/0.crl',
    ocspUrl: 'http://127.0.0.1:9105/ocsp',
  };
}

export interface Fleet {
  readonly root: Party;
  readonly vehicleCa: Party;
  readonly controlCa: Party;
  readonly vehicle: Party;
}

export async function newFleet(): Promise<Fleet> {
  const root = await issue('root', 'self', newKeyPair('P-384'), { subject: commonName('Fleet Root') });
  const vehicleCa = await issue('vehicle-ca', root, newKeyPair('P-256'), { subject: commonName('Vehicle CA') });
  const controlCa = await issue('control-ca', root, newKeyPair('P-256'), { subject: commonName('Control CA') });
  const vehicle = await issue('vehicle', vehicleCa, newKeyPair('Ed25519'), vehicleOverrides('device-12345'));
  return { root, vehicleCa, controlCa, vehicle };
}

/** A folder of third-party vectors, or undefined where the checkout has none beside it. */
export function vectorFolder(name: string): string | undefined {
  const folder = join(import.meta.dirname, '../../../../shared/vectors', name);
  return existsSync(folder) ? folder : undefined;
}

/** Whether the openssl command is there to be an oracle. */
export function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
