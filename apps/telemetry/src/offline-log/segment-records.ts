/** Decides whether the records sent are the ones that a segment's head vouches for, and names the first that is not. */
import { canonicalize } from '@outrider/canonicalization';
import { DomainError } from '@outrider/errors';
import {
  DEFAULT_EPOCH,
  DEFAULT_STREAM,
  parsePayload,
  recordDigest,
  type TelemetryPayload,
} from '../ingest/telemetry-payload.js';
import { logFault } from './log-fault.js';
import { recordsDigest, type Segment, type SegmentRecord } from './log-segment.js';

/** A record that its segment's head vouches for. `payload`: JSON text. */
export interface LogRecord {
  readonly seq: TelemetryPayload['seq'];
  readonly ts: number;
  readonly payload: Uint8Array;
  /** Hex. */
  readonly canonicalSha256: string;
}

interface Read extends LogRecord {
  readonly deviceId: string;
  readonly stream: string;
  readonly epoch: number;
}

/**
 * For a segment with records, its head's signature verified.
 * @throws DomainError with the place: `telemetry.log_malformed`, `log_foreign`, `log_gap`, `log_reordered`, `log_edited`
 */
export function checkRecords(segment: Segment, records: readonly SegmentRecord[]): LogRecord[] {
  const read = records.map((record, index) => readRecord(segment, record, index));
  read.forEach((record, index) => {
    checkPlace(segment, read, record, index);
  });
  const { head } = segment;
  if (read.length < head.count) {
    const record = read.length;
    throw logFault(
      'telemetry.log_gap',
      { segment: head.segment, record, seq: head.seq + record },
      'the record is cut out',
    );
  }
  const digests = read.map(({ canonicalSha256 }) => canonicalSha256);
  if (recordsDigest(digests) !== head.records) throw editedAt(segment, digests);
  return read;
}

function readRecord({ head }: Segment, record: SegmentRecord, index: number): Read {
  try {
    const value = record.value() as Record<string, unknown>;
    const { device_id, stream = DEFAULT_STREAM, epoch = DEFAULT_EPOCH, seq, ts } = parsePayload(value);
    const jcs = canonicalize(value);
    return {
      deviceId: device_id,
      stream,
      epoch,
      seq,
      ts,
      payload: record.raw,
      canonicalSha256: recordDigest(value, jcs),
    };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    throw logFault('telemetry.log_malformed', { segment: head.segment, record: index }, error.detail ?? 'no record');
  }
}

/** Each number has one place: what stands there instead says what was done. */
function checkPlace({ head }: Segment, read: readonly Read[], record: Read, index: number): void {
  const place = { segment: head.segment, record: index, seq: record.seq };
  const { deviceId, stream, epoch, seq } = record;
  if (deviceId !== head.device_id) throw logFault('telemetry.log_foreign', place, "another device's record");
  if (stream !== head.stream || epoch !== head.epoch)
    throw logFault('telemetry.log_foreign', place, 'a record of another stream or epoch');
  const expected = head.seq + index;
  if (seq < head.seq || seq >= head.seq + head.count)
    throw logFault('telemetry.log_foreign', place, 'a number that the segment does not cover');
  if (seq === expected) return;
  const later = read.findIndex((other) => other.seq === expected);
  if (later !== -1)
    throw logFault('telemetry.log_reordered', place, `seq ${expected} belongs here and stands at ${later}`);
  if (seq < expected) throw logFault('telemetry.log_foreign', place, 'the number comes twice');
  throw logFault('telemetry.log_gap', { ...place, seq: expected }, 'the record is cut out');
}

/** The list of digests is believed only where the signed head names it; without it nobody can say which record it was. */
function editedAt({ head, digests }: Segment, sent: readonly string[]): DomainError {
  const believed = digests && recordsDigest(digests) === head.records ? digests : undefined;
  const record = believed?.findIndex((digest, index) => digest !== sent[index]);
  if (record === undefined || record === -1)
    return logFault('telemetry.log_edited', { segment: head.segment }, 'its records are not the ones that were signed');
  const place = { segment: head.segment, record, seq: head.seq + record };
  return logFault('telemetry.log_edited', place, 'not the record that was signed');
}
