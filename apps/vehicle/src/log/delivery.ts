/** Decides which segments answer an order, and builds the bodies that carry them. */
import { canonicalize } from '@outrider/canonicalization';
import { JCS_TYP } from '@outrider/crypto';
import type { FetchOrder } from './fetch-order.js';
import { digestsOf } from './segment.js';

/** Segments of one delivery. */
export const MAX_SEGMENTS = 1_000;

export interface StoredSegment {
  readonly segment: number;
  readonly epoch: number;
  readonly seq: number;
  readonly count: number;
  readonly head: string;
  readonly sha256: string;
  readonly signature: string;
  readonly thumbprint: string;
  /** All its records are still here. */
  readonly whole: boolean;
  /** The platform has received the head. */
  readonly announced: boolean;
}

/** Numbers of segments, both included, fixed at the begin of an upload so that it can be gone on with after a crash. */
export interface DeliveryPlan {
  readonly first: number;
  readonly last: number;
}

/** True where the order asks for records of the segment. */
export function asks(order: FetchOrder, { epoch, seq, count }: StoredSegment): boolean {
  return epoch === order.epoch && order.ranges.some(([from, to]) => from < seq + count && to >= seq);
}

/**
 * From the first segment asked for to the last, and on to the newest head that the platform had received, whose chain proves the time of
 * all before it. A segment asked for whose records were forgotten ends it: what is older cannot be delivered any more.
 * @param segments all there are, in order
 */
export function planDelivery(order: FetchOrder, segments: readonly StoredSegment[]): DeliveryPlan | undefined {
  const forgotten = segments.findLast((segment) => asks(order, segment) && !segment.whole)?.segment ?? 0;
  const wanted = segments.filter((segment) => asks(order, segment) && segment.segment > forgotten);
  const first = wanted[0]?.segment;
  const lastWanted = wanted.at(-1)?.segment;
  if (first === undefined || lastWanted === undefined) return undefined;
  const anchor = segments.findLast(({ announced }) => announced)?.segment ?? 0;
  return { first, last: Math.min(Math.max(lastWanted, anchor), Math.max(lastWanted, first + MAX_SEGMENTS - 1)) };
}

/** `records`: undefined for the head alone. The certificate is named always: an upload may outlive the one of its connection. */
export function segmentBody(
  { head, signature, thumbprint }: StoredSegment,
  records: readonly { readonly payload: string }[] | undefined,
): string {
  const rest = records
    ? `,"digests":${JSON.stringify(digestsOf(records))},"records":[${records.map(({ payload }) => payload).join(',')}]`
    : '';
  return `{"head":${head},"signature":${JSON.stringify(signature)},"kid":${JSON.stringify(thumbprint)}${rest}}`;
}

/** The canonical text that closes an upload, to be signed. */
export function deliveryText(
  deviceId: string,
  log: string,
  order: Pick<FetchOrder, 'id' | 'nonce'>,
  { first, last }: DeliveryPlan,
  head: string,
): string {
  const { id, nonce } = order;
  return canonicalize({ typ: JCS_TYP.logDelivery, device_id: deviceId, order: id, nonce, log, first, last, head });
}
