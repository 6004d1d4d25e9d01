/** How a log is refused: by a code that says what, and by segment and record where. */
import { DomainError, type ErrorCode } from '@outrider/errors';

export type LogFault = Extract<ErrorCode, `telemetry.log_${string}`>;

/** `segment`: its number in the log. `record`: from 0, in the segment; absent where the segment as a whole is meant. */
export interface Place {
  readonly segment: number;
  readonly record?: number | undefined;
  readonly seq?: number | undefined;
}

export function logFault(code: LogFault, place: Place, why: string): DomainError {
  const { segment, record, seq } = place;
  const where = [
    `segment ${segment}`,
    ...(record === undefined ? [] : [`record ${record}`]),
    ...(seq === undefined ? [] : [`seq ${seq}`]),
  ].join(', ');
  return new DomainError(code, {
    detail: `${where}: ${why}`,
    members: { segment, record: record ?? null, seq: seq ?? null },
  });
}
