/** Decides what a CRL says: its number, its times, and one entry for each certificate. */
import type { CrlSignRequest, RevocationReason } from '@outrider/contracts';
import type { SerialNumber } from '@outrider/ids';
import { crlShardUrl } from '@outrider/x509';

export interface CrlEntry {
  readonly serialNumber: SerialNumber;
  /** Of the first revocation. */
  readonly revokedAt: Date;
  /** Of all revocations of this certificate, in order. */
  readonly reasons: readonly RevocationReason[];
}

/** An issuing CA, and what stands before the shard in the names of its lists. */
export interface CrlIssuer {
  /** Hex of its subject key identifier. */
  readonly issuerKeyId: string;
  readonly prefix: string;
}

/** One list among all of them. */
export interface CrlName {
  readonly prefix: string;
  readonly shard: number;
}

export interface CrlPlan {
  readonly issuer: CrlIssuer;
  readonly baseUrl: string;
  readonly shard: number;
  readonly validitySeconds: number;
}

/** Numbers only go forward (RFC 5280 §5.2.3), also after a restored backup: the clock is their floor. */
export function nextCrlNumber(last: number, now: Date): number {
  return Math.max(last + 1, Math.floor(now.getTime() / 1000));
}

/** The request to fleet-ca. Times in whole seconds, as DER has them. */
export function crlSignRequest(plan: CrlPlan, number: number, entries: readonly CrlEntry[], now: Date): CrlSignRequest {
  const seconds = Math.floor(now.getTime() / 1000);
  return {
    aud: 'ca.crl.sign.v1',
    iat: seconds,
    issuerKeyId: plan.issuer.issuerKeyId,
    distributionPoint: crlShardUrl(plan.baseUrl, plan.shard, plan.issuer.prefix),
    number,
    thisUpdate: instant(seconds),
    nextUpdate: instant(seconds + plan.validitySeconds),
    entries: entries.map(({ serialNumber, revokedAt, reasons }) => ({
      serialNumber,
      revokedAt: instant(Math.floor(revokedAt.getTime() / 1000)),
      reason: reasons.includes('keyCompromise') ? 'keyCompromise' : (reasons[0] ?? 'unspecified'),
    })),
  };
}

function instant(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

/** The list that a file name of the path `/crl/<prefix><shard>.crl` asks for; undefined where there can be none. */
export function crlOfFile(file: string, shardCount: number): CrlName | undefined {
  const [, prefix = '', digits] = /^([0-9a-f]{16}-)?(0|[1-9][0-9]{0,4})\.crl$/.exec(file) ?? [];
  return digits !== undefined && Number(digits) < shardCount ? { prefix, shard: Number(digits) } : undefined;
}
