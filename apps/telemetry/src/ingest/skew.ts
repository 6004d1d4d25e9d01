/** Decides whether a record's time is near enough to ours. */
import { DomainError } from '@outrider/errors';
import type { SkewRule } from './message-context.js';
import type { Checked, VerifiedRecord } from './verified-record.js';

/** The record as it is, or refused for its time with its place named. @param ts the time to judge, in seconds */
export function inTime(record: VerifiedRecord, ts: number, { nowMs, skewSeconds }: SkewRule): Checked {
  if (Math.abs(ts * 1000 - nowMs) <= skewSeconds * 1000) return record;
  const { stream, epoch, seq } = record;
  const detail = `ts is more than ${skewSeconds} s from ${new Date(nowMs).toISOString()}`;
  return { refused: new DomainError('telemetry.skewed', { detail }), seq, of: { stream, epoch, seq } };
}
