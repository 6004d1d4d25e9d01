/** What list may be signed: asked by revocation, about now, for a shard of ours, and with a number that has not been passed. */
import type { CrlSignRequest } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { Service } from '@outrider/ids';
import { type CrlDescription, crlShardUrl, type ParsedCertificate } from '@outrider/x509';

/** The highest number signed for this issuer and distribution point, and of what request. */
export interface LastCrl {
  readonly number: number;
  readonly requestSha256: string;
}

const CLOCK_MS = 300_000;
const MAX_VALIDITY_MS = 30 * 86_400_000;

/**
 * @param place where this issuer's lists are: one for any other place would speak for certificates of another issuer.
 * @throws DomainError `ca.requester_refused`, `ca.request_refused`
 */
export function decideCrl(
  requester: Service,
  request: CrlSignRequest,
  requestSha256: string,
  last: LastCrl | undefined,
  issuer: ParsedCertificate,
  place: { readonly baseUrl: string; readonly shardCount: number; readonly prefix: string },
  now: Date,
): CrlDescription {
  if (requester !== 'revocation') {
    throw new DomainError('ca.requester_refused', { detail: `${requester} may not ask for a CRL` });
  }
  const thisUpdate = new Date(request.thisUpdate);
  const nextUpdate = new Date(request.nextUpdate);
  if (Math.abs(thisUpdate.getTime() - now.getTime()) > CLOCK_MS) throw refused('thisUpdate is not now');
  if (nextUpdate <= thisUpdate || nextUpdate.getTime() - thisUpdate.getTime() > MAX_VALIDITY_MS) {
    throw refused('nextUpdate is not after thisUpdate, or more than 30 days after it');
  }
  if (!isShard(request.distributionPoint, place)) throw refused('the distribution point is none of this issuer');
  // RFC 5280 §5.2.3: numbers only go forward. The very same request again is a retry.
  const isRetry = last?.number === request.number && last.requestSha256 === requestSha256;
  if (last !== undefined && request.number <= last.number && !isRetry) {
    throw refused(`CRL number ${request.number} is not above ${last.number}`);
  }
  return {
    issuer,
    crlNumber: request.number,
    thisUpdate,
    nextUpdate,
    distributionPoint: request.distributionPoint,
    revoked: request.entries.map(({ serialNumber, revokedAt, reason }) => ({
      serialNumber,
      revokedAt: new Date(revokedAt),
      reason,
    })),
  };
}

function isShard(url: string, { baseUrl, shardCount, prefix }: Parameters<typeof decideCrl>[5]): boolean {
  const shard = Number(/(0|[1-9][0-9]{0,4})\.crl$/.exec(url)?.[1] ?? Number.NaN);
  return shard < shardCount && url === crlShardUrl(baseUrl, shard, prefix);
}

function refused(detail: string): DomainError {
  return new DomainError('ca.request_refused', { detail });
}
