/** Decides what an OCSP answer says: the status that follows from what is known, its times, and how long caches may keep it. */
import type { OcspCertStatus, RevokedEntry } from '@outrider/x509';

/** What PostgreSQL knows of a serial number of one issuer. */
export interface StandingStatus {
  /** Whether the certificate is known to have been issued. */
  readonly known: boolean;
  /** The revocation that stands now; null where none does. */
  readonly revokedAt: Date | null;
  readonly reason: RevokedEntry['reason'] | null;
}

/** For how long one answer is good: whole seconds, `nextUpdate` never after the signer's own end. */
export interface OcspTimes {
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
}

/** RFC 6960 §2.2: revoked though never seen (by force) is revoked; good needs a certificate that was issued. */
export function statusOf({ known, revokedAt, reason }: StandingStatus): OcspCertStatus {
  if (revokedAt !== null) return { status: 'revoked', revokedAt: wholeSecond(revokedAt), reason: reason ?? undefined };
  return { status: known ? 'good' : 'unknown' };
}

/** Whether a stored answer still says what is so. */
export function saysTheSame(a: OcspCertStatus, b: OcspCertStatus): boolean {
  if (a.status !== 'revoked' || b.status !== 'revoked') return a.status === b.status;
  const reasons = [a.reason ?? 'unspecified', b.reason ?? 'unspecified'];
  return a.revokedAt.getTime() === b.revokedAt.getTime() && reasons[0] === reasons[1];
}

export function timesFrom(now: Date, validitySeconds: number, signerNotAfter: Date): OcspTimes {
  const thisUpdate = wholeSecond(now);
  const nextUpdateMs = Math.min(thisUpdate.getTime() + validitySeconds * 1000, signerNotAfter.getTime());
  return { thisUpdate, nextUpdate: new Date(nextUpdateMs) };
}

/** Past the half of its life an answer is replaced, and still served meanwhile. */
export function refreshAt({ thisUpdate, nextUpdate }: OcspTimes): Date {
  return new Date((thisUpdate.getTime() + nextUpdate.getTime()) / 2);
}

/** A stored answer from the future tells of a clock that was set back: it is made anew. */
export function isCurrent({ thisUpdate, nextUpdate }: OcspTimes, now: Date): boolean {
  return thisUpdate <= now && now < nextUpdate;
}

/** Seconds that a cache may serve an answer without asking: short, as what it hides is a revocation. */
export const MAX_AGE_SECONDS = 60;

/** RFC 5019 §6.2. @param etag quoted. */
export function cacheHeaders({ thisUpdate, nextUpdate }: OcspTimes, etag: string, now: Date): Record<string, string> {
  const leftSeconds = Math.max(0, Math.floor((nextUpdate.getTime() - now.getTime()) / 1000));
  return {
    'last-modified': thisUpdate.toUTCString(),
    expires: nextUpdate.toUTCString(),
    etag,
    'cache-control': `max-age=${Math.min(MAX_AGE_SECONDS, leftSeconds)}, public, no-transform, must-revalidate`,
  };
}

/**
 * The request in the path of a GET (RFC 6960 A.1, RFC 5019 §5): base64, percent-encoded as far as the client cared to.
 * @param path what follows `/ocsp/`, without query.
 * @returns undefined for what is no base64.
 */
export function requestOfPath(path: string): Buffer | undefined {
  let text = path;
  if (path.includes('%')) {
    try {
      text = decodeURIComponent(path);
    } catch {
      return undefined;
    }
  }
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}

function wholeSecond(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000);
}
