/** Decides what a verified log brings: a fate for each segment and record, and the answer that tells it. */
import type { DeviceId, Epoch, StreamName } from '@outrider/ids';
import type { SequenceRange } from '@outrider/replay-window';
import type { FetchOrder } from './fetch-order.js';
import { clip, subtract } from './ranges.js';
import type { LogRecord } from './segment-records.js';
import { type LogVerdict, settleRecord, type VerdictRun, verdictRuns } from './settle-records.js';
import { type ReceivedHead, type SignerNow, type Standing, signerNow, standingOf } from './standing.js';
import type { VerifiedSegment } from './verify-log.js';

/** A segment with what becomes of it. `accepted`: its records that are stored now. */
export interface LogSegmentFate extends VerifiedSegment {
  readonly standing: Standing;
  readonly signerNow: SignerNow;
  readonly settled: readonly { readonly seq: number; readonly verdict: LogVerdict }[];
  readonly accepted: readonly LogRecord[];
}

/** What the whole delivery shows: the head of each segment by number, and the heads that had been received. */
export interface Proof {
  readonly chain: ReadonlyMap<number, string>;
  readonly heads: readonly ReceivedHead[];
  readonly nowMs: number;
}

/** The numbers that an order may bring now: the live window may still take what lies above its highest. */
export function deliverable(
  { ranges, epoch }: Pick<FetchOrder, 'ranges' | 'epoch'>,
  present: { readonly epoch: number; readonly highest: number },
): SequenceRange[] {
  if (epoch > present.epoch) return [];
  return clip(ranges, 1, epoch < present.epoch ? Number.MAX_SAFE_INTEGER : present.highest);
}

/** @param stored canonical digests, hex, of what is stored of the segment's numbers */
export function segmentFate(
  verified: VerifiedSegment,
  order: FetchOrder,
  asked: readonly SequenceRange[],
  stored: ReadonlyMap<number, string>,
  proof: Proof,
): LogSegmentFate {
  const { head } = verified.segment;
  const mine = head.stream === order.stream && head.epoch === order.epoch ? asked : [];
  const settled = verified.records.map((record) => ({ seq: record.seq, verdict: settleRecord(record, mine, stored) }));
  return {
    ...verified,
    standing: standingOf(head.segment, verified.signer, proof.chain, proof.heads),
    signerNow: signerNow(verified.signer, proof.nowMs),
    settled,
    accepted: verified.records.filter((_, index) => settled[index]?.verdict === 'accepted'),
  };
}

/** What is kept of a segment once its records are stored. */
export interface SegmentTold {
  readonly segment: number;
  readonly stream: StreamName;
  readonly epoch: Epoch;
  readonly thumbprint: string;
  readonly signer: SignerNow;
  readonly standing: Standing;
  readonly runs: readonly VerdictRun[];
}

export function tellSegment({
  segment: { head },
  signer,
  standing,
  signerNow: now,
  settled,
}: LogSegmentFate): SegmentTold {
  const { segment, stream, epoch } = head;
  return { segment, stream, epoch, thumbprint: signer.thumbprint, signer: now, standing, runs: verdictRuns(settled) };
}

/** `absent`: numbers that were asked for and that the vehicle's log does not have. */
export interface DeliveryAnswer {
  readonly order: string;
  readonly device_id: DeviceId;
  readonly verdict: 'accepted';
  readonly counts: Readonly<Record<LogVerdict, number>> & { readonly unanchored: number };
  readonly results: readonly (VerdictRun & { readonly stream: string; readonly epoch: number })[];
  readonly absent: readonly SequenceRange[];
  readonly segments: readonly Omit<SegmentTold, 'runs' | 'stream' | 'epoch'>[];
}

export function deliveryAnswer(order: FetchOrder, told: readonly SegmentTold[]): DeliveryAnswer {
  const results = told.flatMap(({ runs, stream, epoch, standing }) =>
    runs.map((run) => ({ stream, epoch, standing, ...run })),
  );
  const asked = results.filter(({ verdict }) => verdict !== 'outside');
  const count = (some: readonly VerdictRun[]) => some.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  const of = (verdict: LogVerdict) => count(results.filter((run) => run.verdict === verdict));
  const unanchored = count(asked.filter((run) => run.standing === 'unanchored' && run.verdict === 'accepted'));
  return {
    order: order.id,
    device_id: order.deviceId,
    verdict: 'accepted',
    counts: {
      accepted: of('accepted'),
      duplicate: of('duplicate'),
      replayed: of('replayed'),
      outside: of('outside'),
      unanchored,
    },
    results: asked.map(({ standing: _, ...run }) => run),
    absent: subtract(
      order.ranges,
      asked.map(({ from, to }): SequenceRange => [from, to]),
    ),
    segments: told.map(({ segment, thumbprint, signer, standing }) => ({ segment, thumbprint, signer, standing })),
  };
}
