/** Decides, segment by segment, whether a log hangs together: chain, signatures, numbers, records; the first fault is named with its place. */
import type { VerificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import type { CertificateStanding, CertificateValidity } from '../signing-certificate/may-have-signed.js';
import { mayHaveSigned } from '../signing-certificate/may-have-signed.js';
import type { FetchOrder } from './fetch-order.js';
import type { LogDelivery } from './log-delivery.js';
import { type LogFault, logFault } from './log-fault.js';
import type { Segment, SegmentHead } from './log-segment.js';
import { clip, subtract } from './ranges.js';
import { checkRecords, type LogRecord } from './segment-records.js';

const MAX_ABSENT_NAMED = 32;

/** A certificate of the device, as provisioning tells of it now. */
export interface LogSigner {
  readonly thumbprint: Thumbprint;
  readonly key: VerificationKey;
  readonly validity: CertificateValidity;
  readonly standing: CertificateStanding;
}

export interface LogRules {
  readonly deviceId: DeviceId;
  readonly order: FetchOrder;
  readonly delivery: LogDelivery;
  /** By the segment's `kid`. */
  signerOf(kid: Thumbprint | undefined): LogSigner;
  /** Hex SHA-256 of the head that had been received for that number, if one had. */
  announced(segment: number): string | undefined;
}

/** How far a log has been followed. `streams`: the next number of each, in its epoch. */
export interface LogPosition {
  readonly segment: number;
  readonly sha256: string;
  readonly streams: ReadonlyMap<string, { readonly epoch: number; readonly nextSeq: number }>;
}

/** `records`: empty for a head alone. */
export interface VerifiedSegment {
  readonly segment: Segment;
  readonly signer: LogSigner;
  readonly records: readonly LogRecord[];
}

/**
 * The next segment of a log. Order: device and log, number, chain, the head that was announced, signature, certificate at that time,
 * sequence numbers, records. What a record's clock said is
 * no reason here: outside the skew it is in a log that a record may come.
 * @param before undefined for the delivery's first segment
 * @throws DomainError whose members are `segment`, `record`, `seq`
 */
export function verifySegment(
  before: LogPosition | undefined,
  segment: Segment,
  rules: LogRules,
): { readonly position: LogPosition; readonly verified: VerifiedSegment } {
  const { head } = segment;
  checkChain(before, segment, rules);
  const signer = checkSigner(segment, rules);
  const streams = checkNumbers(before, head);
  const records = segment.records ? checkRecords(segment, segment.records) : checkHeadAlone(head, rules.order);
  return {
    position: { segment: head.segment, sha256: segment.sha256, streams },
    verified: { segment, signer, records },
  };
}

/** The records of a segment that was verified. */
export function recordsOf(segment: Segment): LogRecord[] {
  return segment.records ? checkRecords(segment, segment.records) : [];
}

/** A segment that is missing in its place and stands in another is no gap. `numbers`: of all segments that were sent. */
export function orDisorder(fault: DomainError, numbers: readonly number[]): DomainError {
  const { segment, record } = fault.members;
  if (fault.code !== 'telemetry.log_gap' || record !== null || !numbers.includes(segment as number)) return fault;
  return logFault('telemetry.log_reordered', { segment: segment as number }, 'the segment stands in another place');
}

/** A fault is named alone, unless segments are missing besides: both are the vehicle's to mend. `numbers`: of all segments that were sent. */
export function withAbsent(
  fault: DomainError,
  numbers: readonly number[],
  { first, last }: Pick<LogDelivery, 'first' | 'last'>,
): DomainError {
  const named = fault.members.segment as number;
  const absent = subtract(
    [[first, last]],
    [...numbers, named].map((number) => [number, number]),
  ).slice(0, MAX_ABSENT_NAMED);
  if (absent.length === 0) return fault;
  const which = absent.map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`)).join(', ');
  return new DomainError(fault.code, {
    cause: fault,
    detail: `${fault.detail}; besides, of the segments that the delivery names, ${which} are not there`,
    members: { ...fault.members, absent },
  });
}

/** After the last segment. @throws DomainError `telemetry.log_chain_broken` */
export function checkLastHead(position: LogPosition, delivery: LogDelivery): void {
  if (position.sha256 === delivery.head) return;
  throw logFault('telemetry.log_chain_broken', { segment: position.segment }, 'not the head that the delivery names');
}

function checkChain(before: LogPosition | undefined, { head, sha256 }: Segment, rules: LogRules): void {
  const { delivery } = rules;
  if (head.device_id !== rules.deviceId) fail('telemetry.log_foreign', head, "another device's segment");
  if (head.log !== delivery.log) fail('telemetry.log_foreign', head, 'a segment of another log');
  const expected = before ? before.segment + 1 : delivery.first;
  if (head.segment > expected) {
    throw logFault('telemetry.log_gap', { segment: expected }, 'the segment is cut out');
  }
  if (head.segment < expected) fail('telemetry.log_reordered', head, `segment ${expected} belongs here`);
  if (head.segment > delivery.last) fail('telemetry.log_foreign', head, 'the delivery does not name it');
  // The first of a delivery follows from the head before it too, where that had been received.
  const previous = before?.sha256 ?? rules.announced(head.segment - 1);
  if (previous !== undefined && head.previous !== previous) {
    fail('telemetry.log_chain_broken', head, `it does not follow from segment ${head.segment - 1}`);
  }
  const announced = rules.announced(head.segment);
  if (announced !== undefined && announced !== sha256) {
    fail('telemetry.log_conflict', head, 'another head had been received for this segment');
  }
}

function checkSigner(segment: Segment, rules: LogRules): LogSigner {
  const { head } = segment;
  const signer = rules.signerOf(segment.kid);
  if (!segment.isSignedBy(signer.key)) fail('telemetry.log_bad_signature', head, 'the signature does not verify');
  const unfit = mayHaveSigned(signer.validity, signer.standing, head.ts * 1000);
  if (unfit)
    fail('telemetry.log_bad_signature', head, `its certificate was ${unfit.replaceAll('_', ' ')} at that time`);
  return signer;
}

function checkNumbers(before: LogPosition | undefined, head: SegmentHead): LogPosition['streams'] {
  const known = before?.streams.get(head.stream);
  const place = { segment: head.segment, record: 0, seq: head.seq };
  if (known && head.epoch < known.epoch) throw logFault('telemetry.log_reordered', place, 'an earlier epoch');
  if (known && head.epoch === known.epoch && head.seq > known.nextSeq) {
    throw logFault('telemetry.log_gap', { ...place, seq: known.nextSeq }, 'numbers are missing before it');
  }
  if (known && head.epoch === known.epoch && head.seq < known.nextSeq) {
    throw logFault('telemetry.log_reordered', place, 'numbers of an earlier segment');
  }
  return new Map(before?.streams).set(head.stream, { epoch: head.epoch, nextSeq: head.seq + head.count });
}

/** A head may come alone to keep the chain whole, never in the place of records that were asked for. */
function checkHeadAlone(head: SegmentHead, order: FetchOrder): [] {
  if (head.stream !== order.stream || head.epoch !== order.epoch) return [];
  const [asked] = clip(order.ranges, head.seq, head.seq + head.count - 1);
  if (asked) {
    const place = { segment: head.segment, record: asked[0] - head.seq, seq: asked[0] };
    throw logFault('telemetry.log_gap', place, 'its records are not there');
  }
  return [];
}

function fail(code: LogFault, head: SegmentHead, why: string): never {
  throw logFault(code, { segment: head.segment }, why);
}
