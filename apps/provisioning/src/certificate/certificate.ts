/** Fleet certificates as the registry holds them: who has which, and what each is good for. */
import type { CertificateRef } from '@outrider/contracts';
import type { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';

/** `pending`: handed out, never yet seen in use. `superseded`: gave way to another. A lapsed one keeps its status; its time says the rest. */
export const CERTIFICATE_STATUSES = ['pending', 'live', 'superseded', 'revoked'] as const;
export type CertificateStatus = (typeof CERTIFICATE_STATUSES)[number];

export interface HeldCertificate {
  readonly thumbprint: Thumbprint;
  readonly deviceId: DeviceId;
  readonly issuerKeyId: string;
  readonly serialNumber: SerialNumber;
  readonly keyThumbprint: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly status: CertificateStatus;
  /** The certificate that asked for it: a factory certificate, or the fleet certificate before it. */
  readonly askedBy: Thumbprint;
  readonly operation: 'enrol' | 're-enrol';
  /** The EST label it was given under. */
  readonly label: string;
  /** Hex, of the request that it answers; null: from before that was kept. */
  readonly csrSha256: string | null;
  readonly createdAt: Date;
  /** When its overlap ends; null: it has no successor in use. */
  readonly overlapEndsAt: Date | null;
  readonly supersededBy: Thumbprint | null;
}

export function isLapsed(certificate: Pick<HeldCertificate, 'notAfter'>, now: Date): boolean {
  return certificate.notAfter <= now;
}

/** In use, and good still. */
export function isLive(certificate: Pick<HeldCertificate, 'status' | 'notAfter'>, now: Date): boolean {
  return certificate.status === 'live' && !isLapsed(certificate, now);
}

/** Handed out and never used, and good still. */
export function isPending(certificate: Pick<HeldCertificate, 'status' | 'notAfter'>, now: Date): boolean {
  return certificate.status === 'pending' && !isLapsed(certificate, now);
}

/** Those from after an approved order gave the device its way back: what was before, it was recovered from. */
export function since<C extends Pick<HeldCertificate, 'createdAt'>>(
  certificates: readonly C[],
  recoveredAt: Date | null,
): C[] {
  return certificates.filter(({ createdAt }) => recoveredAt === null || createdAt > recoveredAt);
}

/** The one handed out last; undefined for none. */
export function newest<C extends Pick<HeldCertificate, 'createdAt'>>(certificates: readonly C[]): C | undefined {
  return certificates.reduce<C | undefined>(
    (last, one) => (last === undefined || one.createdAt > last.createdAt ? one : last),
    undefined,
  );
}

/** As messages name it. */
export function certificateRef(held: HeldCertificate): CertificateRef {
  return {
    deviceId: held.deviceId,
    issuerKeyId: held.issuerKeyId,
    serialNumber: held.serialNumber,
    thumbprint: held.thumbprint,
    keyThumbprint: held.keyThumbprint,
    notBefore: held.notBefore.toISOString(),
    notAfter: held.notAfter.toISOString(),
  };
}

/** As the operator API shows it. */
export function certificateDocument(held: HeldCertificate & { readonly revocationReason: string | null }) {
  return {
    serial: held.serialNumber,
    thumbprint: held.thumbprint,
    not_before: held.notBefore.toISOString(),
    not_after: held.notAfter.toISOString(),
    status: held.status,
    ...(held.revocationReason === null ? {} : { revocation_reason: held.revocationReason }),
    ...(held.overlapEndsAt === null ? {} : { overlap_ends_at: held.overlapEndsAt.toISOString() }),
    ...(held.supersededBy === null ? {} : { superseded_by: held.supersededBy }),
  };
}
