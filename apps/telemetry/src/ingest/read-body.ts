/** Reads a request body into the messages it holds, whatever the format; nothing in it is believed yet. */
import { cborSequence, scanJson } from '@outrider/canonicalization';
import { DomainError } from '@outrider/errors';
import { bodyForm } from './content-type.js';
import { readCose } from './cose-envelope.js';
import { type Envelope, readable, type Unreadable } from './envelope.js';
import { readEnvelope } from './json-envelope.js';
import { readCompact } from './jws-envelope.js';
import { LIMITS, MAX_BODY_BYTES, MAX_RECORDS } from './limits.js';

const NEWLINE = 0x0a;

/**
 * `single`: one message was sent by itself, and its verdict is the answer's status; a signed batch never is. `records`: how many records
 * all of it claims to hold, for whoever limits rates: each will cost a look, good or bad.
 */
export interface ReceivedBody {
  readonly single: boolean;
  readonly records: number;
  readonly messages: readonly (Envelope | Unreadable)[];
}

/**
 * @param contentType the header, parameters included
 * @throws DomainError `request.unsupported_media_type`; `request.malformed` for bytes that are no strict JSON, and
 * for a sequence whose items cannot be told apart; `request.too_large` for more than 1 MiB or 1,000 records. What is no message fails
 * alone: a line of NDJSON, an element of an array, an item of a sequence, and a COSE_Sign1 or a JWS that is the whole body.
 */
export function readBody(bytes: Uint8Array, contentType: string): ReceivedBody {
  const form = bodyForm(contentType);
  if (bytes.length > MAX_BODY_BYTES) throw tooLarge(`more than ${MAX_BODY_BYTES} bytes`);
  switch (form) {
    case 'json':
      return readJson(bytes);
    case 'lines':
      return several(readLines(bytes));
    case 'cose':
      return alone(readable(() => readCose(bytes)));
    case 'cose-sequence':
      return several(readSequence(bytes));
    case 'jws':
      return alone(readable(() => readCompact(withoutNewline(bytes))));
    case 'jws-json':
      return alone(readable(() => readEnvelope(scanJson(bytes, LIMITS).root)));
  }
}

function readJson(bytes: Uint8Array): ReceivedBody {
  const { root } = scanJson(bytes, LIMITS);
  if (root.kind !== 'array') return alone(readable(() => readEnvelope(root)));
  const elements = root.elements();
  if (elements.length > MAX_RECORDS) throw tooLarge(`more than ${MAX_RECORDS} messages`);
  return several(elements.map((element) => readable(() => readEnvelope(element))));
}

function readLines(bytes: Uint8Array): (Envelope | Unreadable)[] {
  const messages: (Envelope | Unreadable)[] = [];
  for (let start = 0; start < bytes.length && messages.length <= MAX_RECORDS; ) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    const line = bytes.subarray(start, end);
    if (!isBlank(line)) messages.push(readable(() => readEnvelope(scanJson(line, LIMITS).root)));
    start = end + 1;
  }
  return messages;
}

/** What is cut short or no CBOR at all ends the whole body: where the next item begins is not known then. */
function readSequence(bytes: Uint8Array): (Envelope | Unreadable)[] {
  return cborSequence(bytes, LIMITS, MAX_RECORDS).map((item) => readable(() => readCose(item)));
}

function alone(message: Envelope | Unreadable): ReceivedBody {
  return { ...several([message]), single: 'unreadable' in message || message.batchOf === undefined };
}

function several(messages: readonly (Envelope | Unreadable)[]): ReceivedBody {
  if (messages.length === 0) throw new DomainError('request.invalid', { detail: 'there is no message' });
  let records = 0;
  for (const message of messages) records += 'unreadable' in message ? 1 : Math.max(1, message.batchOf ?? 1);
  if (records > MAX_RECORDS) throw tooLarge(`more than ${MAX_RECORDS} records`);
  return { single: false, records, messages };
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09);
}

/** What an editor or a shell leaves at the end of a file. */
function withoutNewline(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === NEWLINE || bytes[end - 1] === 0x0d)) end--;
  return bytes.subarray(0, end);
}

function tooLarge(detail: string): DomainError {
  return new DomainError('request.too_large', { detail });
}
