import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';

/** W3C Trace Context: carried through HTTP and NATS headers. */
export interface Trace {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
}

const storage = new AsyncLocalStorage<Trace>();

export function currentTrace(): Trace | undefined {
  return storage.getStore();
}

/** Continues the caller's `traceparent` (a new one where there is none or it is malformed) around `work`. */
export function withTrace<T>(traceparent: string | undefined, work: () => T): T {
  return storage.run(newSpan(traceparent), work);
}

/** The same for a span that was made already. */
export function runInTrace<T>(trace: Trace, work: () => T): T {
  return storage.run(trace, work);
}

export function newSpan(traceparent: string | undefined): Trace {
  const match = traceparent && /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(traceparent);
  return { traceId: match ? match[1]! : randomHex(16), spanId: randomHex(8) };
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
  return trace && `00-${trace.traceId}-${trace.spanId}-01`;
}
