/** Reads the platform's answer to a telemetry request: verdicts, or what the whole request ran into. */
import { z } from 'zod';
import { type FetchOrder, FetchOrders } from '../log/fetch-order.js';

/** `seq`: null where the platform could not read it. */
const Result = z.object({ seq: z.int().nullable(), verdict: z.string(), code: z.string().optional() });
export type Result = z.infer<typeof Result>;

const Window = z.object({
  stream: z.string().optional(),
  epoch: z.int().default(0),
  highest: z.int().default(0),
  minEpoch: z.int().default(0),
  /** Ranges that the platform misses, both ends included. */
  missing: z.array(z.tuple([z.int(), z.int()])).default([]),
});
export type Window = z.infer<typeof Window>;

const Body = z.object({
  results: z.array(Result).optional(),
  windows: z.array(Window).optional(),
  orders: FetchOrders.optional(),
  code: z.string().optional(),
});

export type Answer =
  | {
      readonly kind: 'verdicts';
      readonly results: readonly Result[];
      readonly windows: readonly Window[];
      /** What the platform wants of this vehicle's log. */
      readonly orders: readonly FetchOrder[];
    }
  /** The token is no good for this connection: fetch another and send again. */
  | { readonly kind: 'token'; readonly code: string }
  /** Someone took this vehicle out of service, for now or for good. */
  | { readonly kind: 'denied'; readonly code: string }
  /** Nothing is wrong with the request: the same later. */
  | { readonly kind: 'later'; readonly code: string; readonly retryAfterSeconds: number | undefined }
  /** Something in the request cannot be read: send it in smaller pieces until the piece is found. */
  | { readonly kind: 'unreadable'; readonly code: string };

/**
 * `seqs`: what was sent, in order. An answer counts as verdicts only when it covers exactly these; anything else is sent again later,
 * which the platform's window makes harmless. One message's refusal is a problem document with the same members.
 */
export function readAnswer(
  status: number,
  body: string,
  retryAfterSeconds: number | undefined,
  seqs: readonly number[],
): Answer {
  const { results, windows = [], orders = [], code = `http.${status}` } = parse(body);
  if (results && covers(results, seqs)) return { kind: 'verdicts', results, windows, orders };
  if (status === 401) return { kind: 'token', code };
  const single = singleVerdict(code, seqs);
  if (single) return { kind: 'verdicts', results: [single], windows, orders };
  if (status === 403) return { kind: 'denied', code };
  if (status === 400 || status === 413 || status === 415 || status === 422) return { kind: 'unreadable', code };
  return { kind: 'later', code, retryAfterSeconds };
}

/** The windows of `GET /v1/telemetry/window`; undefined when the answer is none. */
export function readWindows(status: number, body: string): readonly Window[] | undefined {
  return status === 200 ? parse(body).windows : undefined;
}

function parse(body: string): z.infer<typeof Body> {
  try {
    return Body.safeParse(JSON.parse(body)).data ?? {};
  } catch {
    return {};
  }
}

function covers(results: readonly Result[], seqs: readonly number[]): boolean {
  return results.length === seqs.length && results.every(({ seq }, index) => seq === null || seq === seqs[index]);
}

const SINGLE = new Set([
  'replayed',
  'too_old',
  'skewed',
  'bad_signature',
  'wrong_device',
  'stale_epoch',
  'epoch_refused',
  'jump',
  'unknown_kid',
]);

function singleVerdict(code: string, seqs: readonly number[]): Result | undefined {
  const verdict = code.startsWith('telemetry.') ? code.slice('telemetry.'.length) : '';
  const seq = seqs[0];
  return seqs.length === 1 && seq !== undefined && SINGLE.has(verdict) ? { seq, verdict, code } : undefined;
}
