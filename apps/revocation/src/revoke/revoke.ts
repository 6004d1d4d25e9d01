/** Decides what goes out of service when an operator revokes: one certificate, a key, a device, or all that a compromised key touches. */
import { serialValue } from '@outrider/admission';
import type { CertificateRef, RevocationReason } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import type { Claim } from '../denylist/claim.js';
import { isGraver, standingReason } from './reason.js';
import type { RevokeTarget } from './revoke-request.js';

/** A certificate as known here, with every reason that it stands revoked for, in order. */
export interface KnownCertificate {
  readonly ref: CertificateRef;
  readonly reasons: readonly RevocationReason[];
}

export interface KnownDevice {
  readonly deviceId: DeviceId;
  readonly reasons: readonly RevocationReason[];
}

/** A public key that was named itself, with every reason that it stands revoked for. */
export interface KnownKey {
  readonly keyThumbprint: string;
  readonly reasons: readonly RevocationReason[];
}

export interface RevokeInput {
  /** The certificate named by serial or thumbprint; undefined where a device or a key was named. */
  readonly named: KnownCertificate | undefined;
  /** Named, or the named certificate's. */
  readonly device: KnownDevice | undefined;
  /** Where a key itself was named, and neither a certificate nor a device. */
  readonly key?: KnownKey | undefined;
  /** Unexpired certificates of the device, and of the same keys, the named one among them or not. */
  readonly related: readonly KnownCertificate[];
  readonly reason: RevocationReason;
  /** Milliseconds after notAfter for which an entry goes on. */
  readonly entryGraceMs: number;
}

export interface Revocation {
  /** What the revocation covers, already revoked or not: the same however often it is asked for. */
  readonly covered: readonly CertificateRef[];
  /** What is revoked only now, or now for a graver reason. */
  readonly fresh: readonly CertificateRef[];
  readonly freshDevice: DeviceId | undefined;
  readonly freshKey: string | undefined;
  readonly claims: readonly Claim[];
  /** The reason that stands: once a key is compromised, it stays so. */
  readonly reason: RevocationReason;
}

export function revoke({ named, device, key, related, reason: asked, entryGraceMs }: RevokeInput): Revocation {
  const reason = standingReason(asked, (named ?? device ?? key)?.reasons ?? []);
  const isCompromise = reason === 'keyCompromise';
  const isDevice = device !== undefined && (!named || isCompromise);
  const covered = named && !isCompromise ? [named] : union(named, related);
  const refs = covered.map(({ ref }) => ref);
  const claims = covered.flatMap((one) =>
    certificateClaims(one.ref, standingReason(reason, one.reasons), entryGraceMs),
  );
  if (isCompromise) claims.push(...refs.map((ref) => entry('key', ref.keyThumbprint, reason)));
  if (isDevice) claims.push(entry('device', device.deviceId, standingReason(reason, device.reasons)));
  if (key) claims.push(entry('key', key.keyThumbprint, reason));
  return {
    covered: refs,
    fresh: covered.filter(({ reasons }) => isGraver(reason, reasons)).map(({ ref }) => ref),
    freshDevice: isDevice && isGraver(reason, device.reasons) ? device.deviceId : undefined,
    freshKey: key && isGraver(reason, key.reasons) ? key.keyThumbprint : undefined,
    claims,
    reason,
  };
}

function union(named: KnownCertificate | undefined, related: readonly KnownCertificate[]): KnownCertificate[] {
  const others = related.filter(({ ref }) => ref.thumbprint !== named?.ref.thumbprint);
  return named ? [named, ...others] : others;
}

function certificateClaims(ref: CertificateRef, reason: RevocationReason, graceMs: number): Claim[] {
  const until = new Date(Date.parse(ref.notAfter) + graceMs);
  return [
    { kind: 'certificate', value: ref.thumbprint, mode: 'deny', reason, until },
    { kind: 'serial', value: serialValue(ref.issuerKeyId, ref.serialNumber), mode: 'deny', reason, until },
  ];
}

/** For ever: a compromised key never becomes good again, and a device leaves the list by recovery, or by the release of its hold, alone. */
export function entry(kind: Claim['kind'], value: string, reason: RevocationReason): Claim {
  return { kind, value, mode: 'deny', reason };
}

/** @throws DomainError `revocation.target_conflict` where the names given do not name one and the same. */
export function requireAgreement(target: RevokeTarget, named: CertificateRef): void {
  const differs =
    (target.serialNumber !== undefined && target.serialNumber !== named.serialNumber) ||
    (target.thumbprint !== undefined && target.thumbprint !== named.thumbprint) ||
    (target.deviceId !== undefined && target.deviceId !== named.deviceId) ||
    (target.keyThumbprint !== undefined && target.keyThumbprint !== named.keyThumbprint);
  if (differs) throw new DomainError('revocation.target_conflict');
}
