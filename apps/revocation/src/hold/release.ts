/** Decides what a release gives back: what is on hold and nothing else; what was revoked for good stays so. */
import { serialValue } from '@outrider/admission';
import type { CertificateRef, RevocationReason } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import type { EntryName } from '../denylist/claim.js';

/** Every reason that something stands revoked for, and the ids of the holds among them. */
interface Standing {
  readonly reasons: readonly RevocationReason[];
  readonly held: readonly string[];
}

export interface HeldCertificate extends Standing {
  readonly ref: CertificateRef;
}

/** A certificate that nobody knows and force put on hold. */
export interface ForcedHold extends Standing {
  readonly names: readonly EntryName[];
}

export interface ReleaseInput {
  readonly named?: HeldCertificate | undefined;
  readonly forced?: ForcedHold | undefined;
  /** Where the device itself was named. */
  readonly device?: (Standing & { readonly deviceId: DeviceId }) | undefined;
  /** Where the key itself was named. */
  readonly key?: (Standing & { readonly keyThumbprint: string }) | undefined;
  /** Certificates of the device, or with the key. */
  readonly related: readonly HeldCertificate[];
}

export interface Release {
  readonly certificates: readonly HeldCertificate[];
  readonly forced: ForcedHold | undefined;
  readonly device: { readonly deviceId: DeviceId; readonly held: readonly string[] } | undefined;
  readonly key: { readonly keyThumbprint: string; readonly held: readonly string[] } | undefined;
  /** Entries that lose the claim of a hold; those that something else claims stay. */
  readonly names: readonly EntryName[];
}

/** @throws DomainError `revocation.not_held` where nothing named is on hold, or what is named was revoked for good */
export function release({ named, forced, device, key, related }: ReleaseInput): Release {
  for (const one of [named, forced, device, key]) if (one) requireNotForGood(one.reasons);
  const certificates = named ? [named] : related.filter(isHeld);
  const held = [...certificates, forced, device, key].flatMap((one) => one?.held ?? []);
  if (held.length === 0) throw new DomainError('revocation.not_held');
  return {
    certificates,
    forced,
    device: device && device.held.length > 0 ? device : undefined,
    key: key && key.held.length > 0 ? key : undefined,
    names: [
      ...certificates.flatMap(({ ref }) => namesOf(ref)),
      ...(forced?.names ?? []),
      ...(device ? [{ kind: 'device', value: device.deviceId } as const] : []),
      ...(key ? [{ kind: 'key', value: key.keyThumbprint } as const] : []),
    ],
  };
}

function isHeld({ reasons }: Standing): boolean {
  return reasons.length > 0 && reasons.every((reason) => reason === 'certificateHold');
}

function requireNotForGood(reasons: readonly RevocationReason[]): void {
  const good = reasons.find((reason) => reason !== 'certificateHold');
  if (good) throw new DomainError('revocation.not_held', { detail: `it was revoked for good: ${good}` });
}

/** What an entry on the denylist calls a certificate. */
export function namesOf(ref: CertificateRef): EntryName[] {
  return [
    { kind: 'certificate', value: ref.thumbprint },
    { kind: 'serial', value: serialValue(ref.issuerKeyId, ref.serialNumber) },
  ];
}
