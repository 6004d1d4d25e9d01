/** A vehicle's log as a test writes it: segments, heads and deliveries, well made unless a test says otherwise. */
import type { KeyObject } from 'node:crypto';
import { canonicalize } from '@outrider/canonicalization';
import { JCS_TYP, sha256Hex, sign } from '@outrider/crypto';
import type { OrderView } from './fetch-order.js';

export type Payload = Record<string, unknown>;

export interface SegmentBody {
  head: Record<string, unknown>;
  signature: string;
  kid?: string;
  digests?: string[];
  records?: Payload[];
}

export interface DeliveryBody {
  delivery: Record<string, unknown>;
  signature: string;
  kid?: string;
}

export class TestLog {
  readonly segments: SegmentBody[] = [];

  constructor(
    readonly deviceId: string,
    public key: KeyObject,
    readonly log = 'log-1',
    public kid: string | undefined = undefined,
  ) {}

  payload(seq: number, ts: number, more: Payload = {}): Payload {
    return { device_id: this.deviceId, seq, ts, telemetry: { speed: seq % 90 }, ...more };
  }

  /** The next segment, over these records. `changes`: to the head, before it is signed. */
  seal(records: Payload[], ts: number, changes: Record<string, unknown> = {}): SegmentBody {
    const digests = records.map((record) => sha256Hex(canonicalize(record)));
    const last = this.segments.at(-1);
    const head = {
      typ: JCS_TYP.logSegment,
      device_id: this.deviceId,
      log: this.log,
      segment: this.segments.length + 1,
      previous: last ? headHash(last.head) : null,
      stream: 'main',
      epoch: 0,
      seq: records[0]?.seq,
      count: records.length,
      records: sha256Hex(Buffer.from(digests.join(''), 'hex')),
      ts,
      ...changes,
    };
    const segment = { head, signature: this.sign(head), ...(this.kid ? { kid: this.kid } : {}), digests, records };
    this.segments.push(segment);
    return segment;
  }

  /** `count` records from `seq` on, one a second until `ts`, in segments of `size`, sealed at `sealed`. */
  fill(seq: number, count: number, ts: number, size = 10, sealed = ts): this {
    for (let from = seq; from < seq + count; from += size) {
      const seqs = Array.from({ length: Math.min(size, seq + count - from) }, (_, index) => from + index);
      this.seal(
        seqs.map((one) => this.payload(one, ts - (seq + count - one))),
        sealed,
      );
    }
    return this;
  }

  delivery(
    order: Pick<OrderView, 'id' | 'nonce'>,
    changes: Record<string, unknown> = {},
    segments = this.segments,
  ): DeliveryBody {
    const [first, last] = [segments[0]!, segments.at(-1)!];
    const delivery = {
      typ: JCS_TYP.logDelivery,
      device_id: this.deviceId,
      order: order.id,
      nonce: order.nonce,
      log: this.log,
      first: first.head.segment,
      last: last.head.segment,
      head: headHash(last.head),
      ...changes,
    };
    return { delivery, signature: this.sign(delivery) };
  }

  sign(value: object): string {
    return sign(this.key, Buffer.from(canonicalize(value))).toString('base64url');
  }
}

export function headHash(head: Record<string, unknown>): string {
  return sha256Hex(canonicalize(head));
}

/** The head alone, without its records. */
export function headOnly({ head, signature, kid }: SegmentBody): SegmentBody {
  return { head, signature, ...(kid ? { kid } : {}) };
}
