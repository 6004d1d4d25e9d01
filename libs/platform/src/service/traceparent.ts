/** W3C Trace Context: decides what a `traceparent` header says, and whether the request that carries it is recorded. */

/** Where a caller stands in its trace. */
export interface CallerTrace {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly sampled: boolean;
}

const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);
const HEADER = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Undefined for none and for one that is malformed: a new trace begins then (Trace Context §3.2, §4.3). */
export function parseTraceparent(header: string | undefined): CallerTrace | undefined {
  const match = header === undefined || header.length > 256 ? undefined : HEADER.exec(header);
  if (!match) return undefined;
  const [, version, traceId, spanId, flags, rest] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string?,
  ];
  // Version 00 ends with its flags; a later one may go on, and ff is none.
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, sampled }: CallerTrace): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/**
 * A caller whose word counts is followed, whatever it says; everyone else's request is drawn anew. Not by the trace id, which the caller chose.
 * `random`: in [0, 1).
 */
export function isSampled(
  caller: CallerTrace | undefined,
  { believed, sampleRatio, random }: { believed: boolean; sampleRatio: number; random: number },
): boolean {
  return caller && believed ? caller.sampled : random < sampleRatio;
}
