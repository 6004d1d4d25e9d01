/** A time range of one device's messages, by their time of receipt, and where reading it begins. */
import { DomainError } from '@outrider/errors';
import { z } from 'zod';
import type { Position } from './cursor.js';

const Instant = z.iso.datetime({ offset: true });

/** `from` is included, `to` is not; without them the range is open at that end. */
export const RangeQuery = { from: Instant.optional(), to: Instant.optional() };

export interface TimeRange {
  readonly from: Date | undefined;
  readonly to: Date | undefined;
}

/** @throws DomainError `request.invalid` for a range that ends before it begins */
export function timeRange({ from, to }: { from?: string | undefined; to?: string | undefined }): TimeRange {
  const range = {
    from: from === undefined ? undefined : new Date(from),
    to: to === undefined ? undefined : new Date(to),
  };
  if (range.from && range.to && range.from >= range.to) {
    throw new DomainError('request.invalid', { detail: 'from: not before to' });
  }
  return range;
}

/** The position right before everything that was received at `from` or later. */
export function startOf(from: Date | undefined): Position {
  const us = from === undefined ? 0 : Math.max(0, from.getTime()) * 1000;
  return [String(us), '' as Position[1], '' as Position[2], 0 as Position[3], '0'];
}
