/** Decides what a CRL says: its name, its number, its times, and one entry for each certificate. */
import type { CrlSignRequest, RevocationReason } from '@outrider/contracts';
import type { SerialNumber } from '@outrider/ids';
import { crlShardUrl, type RevokedEntry } from '@outrider/x509';

/** An issuing CA, and what stands before the shard in the names of its lists. */
export interface CrlIssuer {
  /** Hex of its subject key identifier. */
  readonly issuerKeyId: string;
  readonly prefix: string;
}

/** The lists of one shard of one issuer: one full one and, where there are any, its deltas. They share a row of numbers. */
export interface CrlName {
  readonly prefix: string;
  readonly shard: number;
}

export type CrlKind = 'full' | 'delta';

/** What stands in the place of a serial number in a list: as it is now, or no longer revoked. */
export interface CertificateStatus {
  readonly serialNumber: SerialNumber;
  /** Of the first revocation; null where none stands. */
  readonly revokedAt: Date | null;
  readonly reason: RevocationReason | null;
  /** Of the last change, where a delta lists it. */
  readonly changedAt?: Date;
}

export interface CrlPlan {
  readonly issuer: CrlIssuer;
  readonly baseUrl: string;
  readonly shard: number;
  readonly validitySeconds: number;
  readonly hasDeltas: boolean;
  /** Of a delta: the number of the full list that it goes on from. */
  readonly baseNumber?: number | undefined;
}

/** The entries of a list, where they lie and what they are. */
export type CrlDraft = Pick<CrlSignRequest, 'draft' | 'entries'>;

/** Numbers only go forward (RFC 5280 §5.2.3), also after a restored backup: the clock is their floor. */
export function nextCrlNumber(last: number, now: Date): number {
  return Math.max(last + 1, Math.floor(now.getTime() / 1000));
}

/** In whole seconds, as DER has them. */
export function thisUpdateOf(now: Date): Date {
  return new Date(Math.floor(now.getTime() / 1000) * 1000);
}

/**
 * What a list says of a certificate. No revocation is of after the list, whatever another replica's clock says. A certificate that
 * does not stand revoked was held and released: `removeFromCRL`, in a delta alone (§5.3.1).
 */
export function crlEntry(
  { serialNumber, revokedAt, reason, changedAt }: CertificateStatus,
  thisUpdate: Date,
): RevokedEntry {
  const since = revokedAt ?? changedAt ?? thisUpdate;
  return {
    serialNumber,
    revokedAt: since < thisUpdate ? since : thisUpdate,
    reason: revokedAt === null ? 'removeFromCRL' : (reason ?? 'unspecified'),
  };
}

/**
 * The request to fleet-ca.
 * @param asOf when the entries were read: a list says nothing of later.
 * @param now when it is asked.
 */
export function crlSignRequest(plan: CrlPlan, number: number, draft: CrlDraft, asOf: Date, now: Date): CrlSignRequest {
  const thisUpdate = thisUpdateOf(asOf);
  const isDelta = plan.baseNumber !== undefined;
  return {
    aud: 'ca.crl.sign.v2',
    iat: Math.floor(now.getTime() / 1000),
    issuerKeyId: plan.issuer.issuerKeyId,
    distributionPoint: crlShardUrl(plan.baseUrl, plan.shard, plan.issuer.prefix),
    number,
    ...(isDelta ? { baseNumber: plan.baseNumber } : {}),
    hasDeltas: plan.hasDeltas && !isDelta,
    thisUpdate: thisUpdate.toISOString(),
    nextUpdate: new Date(thisUpdate.getTime() + plan.validitySeconds * 1000).toISOString(),
    draft: draft.draft,
    entries: draft.entries,
  };
}

export interface CrlFile extends CrlName {
  readonly kind: CrlKind;
}

/** `<prefix><shard>.crl`, and `<prefix><shard>-delta.crl` for a delta. */
export function fileOf({ prefix, shard, kind }: CrlFile): string {
  return `${prefix}${shard}${kind === 'delta' ? '-delta' : ''}.crl`;
}

/** The list that a file name of the path `/crl/...` asks for; undefined where there can be none. */
export function crlOfFile(file: string, shardCount: number): CrlFile | undefined {
  const [, prefix = '', digits, delta] = /^([0-9a-f]{16}-)?(0|[1-9][0-9]{0,4})(-delta)?\.crl$/.exec(file) ?? [];
  if (digits === undefined || Number(digits) >= shardCount) return undefined;
  return { prefix, shard: Number(digits), kind: delta === undefined ? 'full' : 'delta' };
}
