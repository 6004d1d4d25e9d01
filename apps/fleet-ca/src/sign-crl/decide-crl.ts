/** What list may be signed: asked by revocation, about now, for a shard of ours, and with a number that has not been passed. */
import type { CrlSignRequest } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { Service } from '@outrider/ids';
import { type CrlForm, crlShardUrl, deltaCrlUrl, type ParsedCertificate } from '@outrider/x509';

/** What was signed before for this issuer and distribution point. */
export interface SignedBefore {
  /** The highest number, and of what request. */
  readonly last: { readonly number: number; readonly requestSha256: string } | undefined;
  /** Whether the number that a delta goes on from is that of a full list. */
  readonly hasBase: boolean;
}

/** Where an issuer's lists are. */
export interface CrlPlace {
  readonly baseUrl: string;
  readonly shardCount: number;
  readonly prefix: string;
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
  { last, hasBase }: SignedBefore,
  issuer: ParsedCertificate,
  place: CrlPlace,
  now: Date,
): CrlForm {
  if (requester !== 'revocation') {
    throw new DomainError('ca.requester_refused', { detail: `${requester} may not ask for a CRL` });
  }
  const thisUpdate = new Date(request.thisUpdate);
  const nextUpdate = new Date(request.nextUpdate);
  if (Math.abs(thisUpdate.getTime() - now.getTime()) > CLOCK_MS) throw refused('thisUpdate is not now');
  if (nextUpdate <= thisUpdate || nextUpdate.getTime() - thisUpdate.getTime() > MAX_VALIDITY_MS) {
    throw refused('nextUpdate is not after thisUpdate, or more than 30 days after it');
  }
  const shard = shardOf(request.distributionPoint, place);
  if (shard === undefined) throw refused('the distribution point is none of this issuer');
  // RFC 5280 §5.2.3: numbers only go forward. The very same request again is a retry.
  const isRetry = last?.number === request.number && last.requestSha256 === requestSha256;
  if (last !== undefined && request.number <= last.number && !isRetry) {
    throw refused(`CRL number ${request.number} is not above ${last.number}`);
  }
  checkBase(request, hasBase);
  const { number: crlNumber, distributionPoint, baseNumber: baseCrlNumber } = request;
  const freshestCrl = request.hasDeltas ? deltaCrlUrl(place.baseUrl, shard, place.prefix) : undefined;
  return { issuer, crlNumber, thisUpdate, nextUpdate, distributionPoint, baseCrlNumber, freshestCrl };
}

/** §5.2.4: a delta goes on from a full list of the same scope, which was issued before it, and has no deltas itself. */
function checkBase({ number, baseNumber, hasDeltas }: CrlSignRequest, hasBase: boolean): void {
  if (baseNumber === undefined) return;
  if (hasDeltas) throw refused('a delta has no deltas');
  if (baseNumber >= number || !hasBase) throw refused(`no full list ${baseNumber} that ${number} could go on from`);
}

function shardOf(url: string, { baseUrl, shardCount, prefix }: CrlPlace): number | undefined {
  const shard = Number(/(0|[1-9][0-9]{0,4})\.crl$/.exec(url)?.[1] ?? Number.NaN);
  return shard < shardCount && url === crlShardUrl(baseUrl, shard, prefix) ? shard : undefined;
}

function refused(detail: string): DomainError {
  return new DomainError('ca.request_refused', { detail });
}
