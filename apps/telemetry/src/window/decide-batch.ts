/** Decides, record by record and in order, what the windows say of a batch; moves them as it goes. */
import type { DeviceId, Epoch, StreamName } from '@outrider/ids';
import {
  acceptInto,
  emptyWindow,
  HARD_LIMIT,
  type Judgement,
  judge,
  type MutableReplayWindow,
  mutableWindow,
  type SequenceRange,
  WINDOW_BITS,
  type WindowLimits,
} from '@outrider/replay-window';
import { decideEpoch } from './epoch.js';

/** Streams of a device in one epoch. */
export const MAX_STREAMS = 8;

export interface Candidate {
  readonly deviceId: DeviceId;
  readonly stream: StreamName;
  readonly epoch: Epoch;
  readonly seq: number;
  readonly canonicalSha256: string;
}

/** One device as loaded under its lock: its epoch and the windows of that epoch. Moved in place. */
export interface DeviceState {
  epoch: number;
  minEpoch: number;
  /** A restored backup has forgotten numbers of this device: nothing is taken before an operator opens an epoch for it. */
  held?: boolean;
  raisedAtMs: number | undefined;
  /** Some fetch order may be open until then. */
  ordersUntil?: Date | undefined;
  /** Records of its offline logs are stored beside the live ones. */
  backfilled?: boolean;
  windows: Map<StreamName, MutableReplayWindow>;
}

export type RefusedVerdict =
  | 'replayed'
  | 'too_old'
  | 'stale_epoch'
  | 'epoch_refused'
  | 'epoch_closed'
  | 'jump'
  | 'too_many_streams';

export type Decision =
  | {
      readonly verdict: 'accepted';
      readonly jumped?: number;
      readonly skipped?: SequenceRange;
      readonly filled?: true;
      readonly epochRaised?: true;
    }
  | { readonly verdict: 'duplicate' }
  | { readonly verdict: RefusedVerdict };

/** Not decided before the stored record of that number is looked at: the same one makes it `duplicate`. */
export interface Undecided {
  readonly verdict: 'undecided';
  readonly otherwise: 'replayed' | 'too_old';
}

const LIMITS: WindowLimits = { hardLimit: HARD_LIMIT };

/**
 * @param devices every device of the batch, under its lock
 * @returns a decision a candidate, in order
 */
export function decideBatch(
  candidates: readonly Candidate[],
  devices: ReadonlyMap<DeviceId, DeviceState>,
  nowMs: number,
): (Decision | Undecided)[] {
  const accepted = new Map<string, string>();
  return candidates.map((candidate) => {
    const device = devices.get(candidate.deviceId);
    if (!device) throw new Error('a device of the batch was not loaded');
    const decision = decideOne(candidate, device, nowMs);
    const key = recordKey(candidate);
    if (decision.verdict === 'accepted') accepted.set(key, candidate.canonicalSha256);
    if (decision.verdict !== 'undecided') return decision;
    const earlier = accepted.get(key);
    return earlier === undefined ? decision : settle(decision, earlier === candidate.canonicalSha256);
  });
}

/** `sameRecordStored`: a record of that number and of the same digest is in the store. */
export function settle({ otherwise }: Undecided, sameRecordStored: boolean): Decision {
  return { verdict: sameRecordStored ? 'duplicate' : otherwise };
}

function recordKey({ deviceId, stream, epoch, seq }: Candidate): string {
  return `${deviceId} ${stream} ${epoch} ${seq}`;
}

function decideOne(candidate: Candidate, device: DeviceState, nowMs: number): Decision | Undecided {
  if (device.held) return { verdict: 'epoch_closed' };
  const epoch = decideEpoch(device, candidate.epoch, nowMs);
  if (epoch === 'stale') return { verdict: 'stale_epoch' };
  if (epoch === 'refused') return { verdict: 'epoch_refused' };
  if (epoch === 'current') return intoWindow(candidate, device);
  // The epoch moves only with a record that its fresh window takes.
  if (judge(emptyWindow(), candidate.seq, LIMITS).verdict !== 'accepted') return { verdict: 'jump' };
  device.epoch = candidate.epoch;
  device.windows = new Map();
  if (epoch === 'raised') device.raisedAtMs = nowMs;
  const decision = intoWindow(candidate, device);
  return epoch === 'raised' && decision.verdict === 'accepted' ? { ...decision, epochRaised: true } : decision;
}

function intoWindow({ stream, seq }: Candidate, device: DeviceState): Decision | Undecided {
  const known = device.windows.get(stream);
  if (!known && device.windows.size >= MAX_STREAMS) return { verdict: 'too_many_streams' };
  const window = known ?? mutableWindow(emptyWindow());
  const before = window.highest;
  const judgement = acceptInto(window, seq, LIMITS);
  if (judgement.verdict !== 'accepted') return fromJudgement(judgement);
  if (!known) device.windows.set(stream, window);
  // What leaves the window in one step can come by an offline log alone.
  if (seq < before) return { ...judgement, filled: true };
  const leaves = before > 0 && seq - before > WINDOW_BITS;
  return leaves ? { ...judgement, skipped: [before + 1, seq - WINDOW_BITS] } : judgement;
}

function fromJudgement(judgement: Judgement): Decision | Undecided {
  switch (judgement.verdict) {
    case 'duplicate_or_replayed':
      return { verdict: 'undecided', otherwise: 'replayed' };
    case 'too_old':
      return { verdict: 'undecided', otherwise: 'too_old' };
    default:
      return judgement;
  }
}
