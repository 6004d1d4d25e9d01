import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import type { Attributes } from '@opentelemetry/api';
import { type CallerTrace, formatTraceparent, parseTraceparent } from './traceparent.js';

export type SpanRole = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** A span that is recorded. What is said of it holds no ids of vehicles, no secrets, no values (docs/tracing.md). */
export interface RecordedSpan {
  child(name: string, role: SpanRole, attributes: Attributes, alsoFor?: readonly Trace[]): Trace;
  rename(name: string): void;
  say(attributes: Attributes): void;
  /** It came to nothing. Of the error only the kind is told. */
  fail(error: unknown): void;
  end(): void;
}

/** W3C Trace Context: carried through HTTP and NATS headers. */
export interface Trace extends CallerTrace {
  /** Absent: nobody records it. */
  readonly span?: RecordedSpan;
}

const storage = new AsyncLocalStorage<Trace | undefined>();

export function currentTrace(): Trace | undefined {
  return storage.getStore();
}

/** Continues the caller's `traceparent` (a new one where there is none or it is malformed) around `work`. */
export function withTrace<T>(traceparent: string | undefined, work: () => T): T {
  return storage.run(newSpan(traceparent), work);
}

/** The same for a span that was made already; `undefined`: in no trace at all. */
export function runInTrace<T>(trace: Trace | undefined, work: () => T): T {
  return storage.run(trace, work);
}

/** One that nobody records: it names what belongs together in logs and answers. */
export function newSpan(traceparent: string | undefined): Trace {
  const caller = parseTraceparent(traceparent);
  return { traceId: caller ? caller.traceId : randomHex(16), spanId: randomHex(8), sampled: false };
}

/** `work` as a span of its own where the present trace is recorded, and nothing more than `work` where it is not. */
export function inSpan<T>(name: string, role: SpanRole, attributes: Attributes, work: () => Promise<T>): Promise<T> {
  const span = storage.getStore()?.span;
  return span ? runSpan(span.child(name, role, attributes), work) : work();
}

/** `work` in a span that was begun for it, and its end. */
export async function runSpan<T>(trace: Trace, work: () => Promise<T>): Promise<T> {
  try {
    return await storage.run(trace, work);
  } catch (error) {
    trace.span?.fail(error);
    throw error;
  } finally {
    trace.span?.end();
  }
}

/**
 * `work` that several requests share, such as a commit: a span in the trace of the first that is recorded, with a link to each of the
 * others. Where none is, `work` runs in no recorded trace, whoever happened to start it.
 */
export function inSharedSpan<T>(
  name: string,
  sharers: readonly (Trace | undefined)[],
  work: () => Promise<T>,
): Promise<T> {
  const [first, ...others] = sharers.filter((trace) => trace?.span !== undefined) as Trace[];
  if (first?.span) return runSpan(first.span.child(name, 'internal', {}, others), work);
  return storage.getStore()?.span ? storage.run(undefined, work) : work();
}

/** Random bytes are drawn many at once: a draw for each name costs more than the rest of the trace. */
const DRAWN_BYTES = 6_144;
let drawn = Buffer.alloc(0);

function randomHex(bytes: number): string {
  if (drawn.length < bytes) drawn = randomBytes(DRAWN_BYTES);
  const hex = drawn.toString('hex', 0, bytes);
  drawn = drawn.subarray(bytes);
  return hex;
}

/** The header value for what this trace calls next; undefined outside any. */
export function traceparent(): string | undefined {
  const trace = storage.getStore();
  return trace && formatTraceparent(trace);
}
