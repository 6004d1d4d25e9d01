/** What is kept of a vehicle's offline log beside its records, and the same as evidence. */
import type { EvidenceDelivery, EvidenceSegment } from '@outrider/evidence';

/** What was taken in for one fetch order. The vehicle's signed word is null where the order's end is gone. */
export interface KeptDelivery {
  readonly order_id: string;
  readonly log: string;
  readonly received_at: Date;
  readonly received_us: string;
  readonly delivery: Buffer | null;
  readonly signature: string | null;
  readonly thumbprint: string | null;
}

export interface KeptSegment {
  readonly order_id: string;
  readonly log: string;
  readonly segment: string;
  readonly received_at: Date;
  readonly format: 'json' | 'cose';
  readonly head: Buffer;
  /** Empty where it is inside `head`. */
  readonly signature: string;
  readonly thumbprint: string;
  readonly digests: Buffer | null;
  readonly signer: 'live' | 'expired' | 'superseded' | 'revoked';
  readonly standing: 'trusted' | 'unanchored';
}

export function deliveryEvidence({ order_id, log, delivery, signature }: KeptDelivery): EvidenceDelivery | undefined {
  return delivery === null || signature === null ? undefined : { orderId: order_id, log, bytes: delivery, signature };
}

export function segmentEvidence({ segment, log, format, head, signature, digests }: KeptSegment): EvidenceSegment {
  const outside = format === 'json' ? signature : null;
  return { segment: Number(segment), log, format, head, signature: outside, digests };
}
