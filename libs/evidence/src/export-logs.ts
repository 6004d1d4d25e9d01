/** Judges the lines of an export that offline logs brought: deliveries, segments, and the records that these prove. */
import type { z } from 'zod';
import {
  type DeliveryLine,
  deliveryEvidence,
  isOutside,
  type RecordLine,
  recordBytes,
  type SegmentLine,
  segmentEvidence,
} from './export-line.js';
import { type KeyFound, type LogFault, LogFollower } from './log-follower.js';
import type { RecordVerdict } from './verify-record.js';

type Delivery = z.output<typeof DeliveryLine>;
type Segment = z.output<typeof SegmentLine>;

/** Of which export these are lines, and what it knows. */
export interface LogContext {
  readonly deviceId: string;
  readonly from: string | null;
  readonly to: string | null;
  keyOf(thumbprint: string, at: Date): KeyFound;
  /** `segment`: undefined where the delivery as a whole is meant. */
  fail(fault: LogFault, segment?: number): void;
}

export class LogLines {
  private following: { readonly order: string; readonly log: string; readonly follower: LogFollower } | undefined;
  private standing: Segment['standing'] | undefined;
  /** How many there were. */
  segments = 0;

  constructor(private readonly context: LogContext) {}

  delivery(line: Delivery): void {
    const { context } = this;
    const follower = this.begin(line);
    const key = context.keyOf(line.thumbprint, new Date(line.received_at));
    const fault = isOutside(line.received_at, context) ? 'row_mismatch' : follower.deliver(deliveryEvidence(line), key);
    if (fault) context.fail(fault);
  }

  segment(line: Segment): void {
    const { context } = this;
    this.segments += 1;
    this.standing = line.standing;
    let { following } = this;
    if (following?.order !== line.order || following.log !== line.log) {
      this.begin(line);
      context.fail('delivery_missing', line.segment);
      following = this.following!;
    }
    const fault = following.follower.segment(segmentEvidence(line), (at) => context.keyOf(line.thumbprint, at));
    if (fault) context.fail(fault, line.segment);
    else if (isOutside(line.received_at, context)) context.fail('row_mismatch', line.segment);
  }

  record(line: RecordLine & { readonly log: NonNullable<RecordLine['log']> }): RecordVerdict {
    const { following } = this;
    if (following?.order !== line.log.order || following.log !== line.log.log)
      return { ok: false, fault: 'segment_missing' };
    const { device_id: deviceId, stream, epoch, seq, ts, canonical_sha256: canonicalSha256 } = line;
    const { segment } = line.log;
    const verdict = following.follower.record({
      ...{ deviceId, stream, epoch, seq, ts, canonicalSha256, segment },
      payload: recordBytes(line),
    });
    return verdict.ok && line.log.standing !== this.standing ? { ok: false, fault: 'row_mismatch' } : verdict;
  }

  /** After the last line of a delivery: what it names may not be all there. */
  end(): void {
    const fault = this.following?.follower.end();
    if (fault) this.context.fail(fault);
    this.following = undefined;
  }

  private begin({ order, log }: { readonly order: string; readonly log: string }): LogFollower {
    this.end();
    const follower = new LogFollower(this.context.deviceId, order);
    this.following = { order, log, follower };
    return follower;
  }
}
