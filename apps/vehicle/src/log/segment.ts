/** Decides what the next segment of the vehicle's log is, and builds its head: what is signed (docs/protocols/offline-log.md). */
import { canonicalize } from '@outrider/canonicalization';
import { JCS_TYP, sha256Hex } from '@outrider/crypto';
import { STREAM } from '../telemetry/stream.js';

/** Of one segment, well below what the platform takes at once. */
export const MAX_RECORDS = 250;
export const MAX_BYTES = 600 * 1024;
/** A record waits this long at most to be sealed, by the vehicle's clock. */
const SEAL_SECONDS = 60;

export interface LogRecord {
  readonly epoch: number;
  readonly seq: number;
  readonly ts: number;
  /** The canonical text, whose digest names the record. */
  readonly payload: string;
}

/** Where the chain stands. `sha256`: hex, of the last head. */
export interface ChainEnd {
  readonly segment: number;
  readonly sha256: string;
}

export interface SealedHead {
  readonly segment: number;
  readonly epoch: number;
  readonly seq: number;
  readonly count: number;
  /** The canonical text, whose bytes are signed. */
  readonly head: string;
  /** Hex, of `head`. */
  readonly sha256: string;
}

/** The records of the next segment: the oldest open ones, of one epoch, without a hole, as many as fit. `open`: in order. */
export function nextRecords(open: readonly LogRecord[]): readonly LogRecord[] {
  const [first] = open;
  let bytes = 0;
  const end = open.findIndex(({ epoch, seq, payload }, index) => {
    bytes += Buffer.byteLength(payload) + 70;
    const follows = epoch === first?.epoch && seq === (first?.seq ?? 0) + index;
    return !follows || index === MAX_RECORDS || (index > 0 && bytes > MAX_BYTES);
  });
  return end === -1 ? open : open.slice(0, end);
}

/** `open`: all that is not sealed, up to a segment and one more. Full, old enough, or of an epoch that is over. */
export function isDue(open: readonly LogRecord[], nowSeconds: number): boolean {
  const [first] = open;
  if (!first) return false;
  const next = nextRecords(open);
  return next.length < open.length || next.length === MAX_RECORDS || nowSeconds - first.ts >= SEAL_SECONDS;
}

/** @param ts seconds, when it is sealed */
export function sealHead(
  deviceId: string,
  log: string,
  records: readonly LogRecord[],
  before: ChainEnd | undefined,
  ts: number,
): SealedHead {
  const [first] = records;
  if (!first) throw new Error('a segment has records');
  const segment = (before?.segment ?? 0) + 1;
  const head = canonicalize({
    typ: JCS_TYP.logSegment,
    device_id: deviceId,
    log,
    segment,
    previous: before?.sha256 ?? null,
    stream: STREAM,
    epoch: first.epoch,
    seq: first.seq,
    count: records.length,
    records: sha256Hex(Buffer.from(digestsOf(records).join(''), 'hex')),
    ts,
  });
  return { segment, epoch: first.epoch, seq: first.seq, count: records.length, head, sha256: sha256Hex(head) };
}

/** Hex SHA-256 of each record: what the head's `records` is made of. */
export function digestsOf(records: readonly { readonly payload: string }[]): string[] {
  return records.map(({ payload }) => sha256Hex(payload));
}
