/** Reads a request body into the messages it holds: one JSON object, a JSON array, or NDJSON; nothing in it is believed yet. */
import { type ScanLimits, scanJson } from '@outrider/canonicalization';
import { DomainError } from '@outrider/errors';
import { type Envelope, readEnvelope, type Unreadable } from './envelope.js';

/** Of one body (DESIGN §6). */
export const MAX_BODY_BYTES = 1_048_576;
export const MAX_RECORDS = 1_000;

const LIMITS: ScanLimits = { maxBytes: MAX_BODY_BYTES, maxDepth: 32 };
const NEWLINE = 0x0a;
const NDJSON = new Set(['application/x-ndjson', 'application/ndjson', 'application/jsonl']);

/** `single`: one message was sent as an object of its own, and its verdict is the answer's status. */
export interface ReceivedBody {
  readonly single: boolean;
  readonly messages: readonly (Envelope | Unreadable)[];
}

/**
 * @param mediaType lower case, without parameters
 * @throws DomainError `request.unsupported_media_type`; `request.malformed` for bytes that are no strict JSON; `request.too_large` for
 * more than 1 MiB or 1,000 records. A line of NDJSON that is no JSON fails alone, as `request.malformed` among the messages.
 */
export function readBody(bytes: Uint8Array, mediaType: string): ReceivedBody {
  if (mediaType === 'application/json') return readJson(bytes);
  if (NDJSON.has(mediaType)) return { single: false, messages: readLines(bytes) };
  throw new DomainError('request.unsupported_media_type', {
    detail: 'send application/json (one message or an array) or application/x-ndjson',
  });
}

function readJson(bytes: Uint8Array): ReceivedBody {
  const { root } = scanJson(bytes, LIMITS);
  if (root.kind !== 'array') return { single: true, messages: [readEnvelope(root)] };
  const elements = root.elements();
  checkCount(elements.length);
  return { single: false, messages: elements.map(readEnvelope) };
}

function readLines(bytes: Uint8Array): (Envelope | Unreadable)[] {
  if (bytes.length > MAX_BODY_BYTES) throw tooLarge(`more than ${MAX_BODY_BYTES} bytes`);
  const messages: (Envelope | Unreadable)[] = [];
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    if (!isBlank(bytes, start, end)) messages.push(readLine(bytes.subarray(start, end)));
    if (messages.length > MAX_RECORDS) checkCount(messages.length);
    start = end + 1;
  }
  checkCount(messages.length);
  return messages;
}

function readLine(line: Uint8Array): Envelope | Unreadable {
  try {
    return readEnvelope(scanJson(line, LIMITS).root);
  } catch (error) {
    if (error instanceof DomainError) return { unreadable: error, seq: null };
    throw error;
  }
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0x20 && bytes[at] !== 0x0d && bytes[at] !== 0x09) return false;
  return true;
}

function checkCount(count: number): void {
  if (count > MAX_RECORDS) throw tooLarge(`more than ${MAX_RECORDS} messages`);
  if (count === 0) throw new DomainError('request.invalid', { detail: 'there is no message' });
}

function tooLarge(detail: string): DomainError {
  return new DomainError('request.too_large', { detail });
}
