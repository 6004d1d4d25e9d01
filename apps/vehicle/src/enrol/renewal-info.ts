/** What the platform says of the renewal of a certificate (draft-ietf-lamps-est-renewal-info), and when to ask again. */
import type { RenewalWindow } from './renewal.js';

export type RenewalAdvice =
  | { readonly kind: 'window'; readonly window: RenewalWindow }
  /** It has none, or nothing that can be used: the vehicle renews by its own rule (RFC 9773 §4.3.3, long-term error). */
  | { readonly kind: 'none'; readonly why: string }
  /** It may have one: what it said before stands. */
  | { readonly kind: 'unknown'; readonly why: string };

/** A request answered by hand would do no harm, and a typing error in a server's configuration should not stop a vehicle from asking. */
const LEAST_MS = 1000;
const MOST_MS = 86_400_000;
/** After a long-term error: RFC 9773 §4.3.3 suggests six hours; certificates here may live for minutes. */
const NONE_AGAIN_MS = 3_600_000;
const FIRST_RETRY_MS = 5000;
const LONGEST_RETRY_MS = 300_000;

/**
 * The certificate's identifier in the path: key id of its issuer and its serial number's DER content, in base64url without padding.
 * Both given as hex; the serial number without its sign byte.
 */
export function certificateId(authorityKeyId: string, serialNumber: string): string {
  const positive = Number.parseInt(serialNumber.slice(0, 2), 16) >= 0x80 ? `00${serialNumber}` : serialNumber;
  return `${base64url(authorityKeyId)}.${base64url(positive)}`;
}

/** Reads an answer. A window that ends no later than it begins is no answer. */
export function readAdvice(status: number, body: string): RenewalAdvice {
  if (status >= 500 || status === 429) return { kind: 'unknown', why: `http.${status}` };
  if (status !== 200) return { kind: 'none', why: `http.${status}` };
  const window = readWindow(body);
  return window ? { kind: 'window', window } : { kind: 'none', why: 'no window that can be used' };
}

/**
 * How long until the next question, in ms. `retryAfterSeconds` is the earliest time and the target (RFC 9773 §4.3.2), within a second and
 * a day; a twentieth is added by `random` in [0, 1). `failures`: questions in a row that had no answer, this one included.
 */
export function askAgainMs(
  advice: RenewalAdvice,
  retryAfterSeconds: number | undefined,
  failures: number,
  random: number,
): number {
  if (advice.kind === 'unknown') {
    const own = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10)) * (0.5 + random / 2);
    return Math.max(own, (retryAfterSeconds ?? 0) * 1000);
  }
  const asked = advice.kind === 'window' ? retryAfterSeconds : undefined;
  const target = asked === undefined ? NONE_AGAIN_MS : Math.min(MOST_MS, Math.max(LEAST_MS, asked * 1000));
  return target * (1 + random / 20);
}

function readWindow(body: string): RenewalWindow | undefined {
  try {
    const { suggestedWindow } = JSON.parse(body) as { suggestedWindow?: { start?: unknown; end?: unknown } };
    const [start, end] = [suggestedWindow?.start, suggestedWindow?.end].map(readInstant);
    return start !== undefined && end !== undefined && start < end ? { start, end } : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 3339. */
function readInstant(value: unknown): number | undefined {
  const form = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/;
  const ms = typeof value === 'string' && form.test(value) ? Date.parse(value.toUpperCase()) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

function base64url(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64url');
}
