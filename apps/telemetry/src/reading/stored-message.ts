/** Stored messages as an operator is shown them: with what proves them, or decoded. */
import { DomainError } from '@outrider/errors';
import { encodeRaw, isText, payloadOf, type RecordFormat } from '@outrider/evidence';
import { encodeCursor, type Position } from './cursor.js';

/**
 * A row of `messages`, or of `log_records`: then `order_id`, `log`, `segment` and `standing` say how it came,
 * and the signature is the segment's.
 * `received_us`: microseconds since the epoch, as digits. `algorithm` and `token_id`: null where not known.
 */
export interface StoredMessage {
  readonly device_id: Position[1];
  readonly stream: Position[2];
  readonly epoch: Position[3];
  readonly seq: string;
  readonly ts: number;
  readonly received_us: string;
  readonly received_at: Date;
  readonly payload: Buffer;
  readonly signature: string | null;
  readonly thumbprint: string;
  readonly canonical_sha256: Buffer;
  readonly format: RecordFormat;
  readonly algorithm: string | null;
  readonly token_id: string | null;
  readonly batch_sha256: Buffer | null;
  readonly batch_index: number | null;
  readonly order_id: string | null;
  readonly log: string | null;
  readonly segment: string | null;
  readonly standing: 'trusted' | 'unanchored' | null;
}

export const VIEWS = ['raw', 'decoded'] as const;
export type View = (typeof VIEWS)[number];

export function positionOf(message: StoredMessage): Position {
  return [message.received_us, message.device_id, message.stream, message.epoch, message.seq];
}

/** `next`: where to go on, also after the last message, which later ones will follow; null of a page without any, which ends a listing. */
export function toPage(messages: readonly StoredMessage[], view: View) {
  const last = messages.at(-1);
  return {
    items: messages.map((message) => toItem(message, view)),
    next: last ? encodeCursor(positionOf(last)) : null,
  };
}

/**
 * `raw`: payload and signature as received, `payload` as text or, of CBOR, in base64. `decoded`: `telemetry` instead of both.
 * `latency_ms`: from the vehicle's time to the receipt, as its clock has it. `log`: how an offline log brought it, null of a live one.
 */
export function toItem(message: StoredMessage, view: View) {
  const { device_id, stream, epoch, seq, ts, received_at, format, algorithm, token_id, thumbprint } = message;
  return {
    ...{ device_id, stream, epoch, seq: Number(seq), ts, received_at: received_at.toISOString() },
    latency_ms: Math.round(received_at.getTime() - ts * 1000),
    ...{ format, algorithm, token_id, thumbprint },
    canonical_sha256: message.canonical_sha256.toString('hex'),
    batch: batchOf(message),
    source: message.order_id === null ? ('live' as const) : ('log' as const),
    log: logOf(message),
    ...(view === 'raw' ? rawOf(message) : { telemetry: telemetryOf(message) }),
  };
}

export function batchOf({ batch_sha256, batch_index }: StoredMessage) {
  return batch_sha256 === null ? null : { sha256: batch_sha256.toString('hex'), index: batch_index ?? 0 };
}

/** The fetch order that a log's record answered, and its place in that log. */
export function logOf({ order_id, log, segment, standing }: StoredMessage) {
  if (order_id === null || log === null || standing === null) return null;
  return { order: order_id, log, segment: Number(segment), standing };
}

function rawOf({ format, payload, signature }: StoredMessage) {
  return { payload: encodeRaw(format, payload), payload_encoding: encodingOf(format), signature };
}

function encodingOf(format: RecordFormat): 'text' | 'base64' {
  return isText(format) ? 'text' : 'base64';
}

/** Null for bytes that do not decode, which only an edit in the database can make of what ingest took. */
function telemetryOf(message: StoredMessage): unknown {
  try {
    const value = payloadOf(message);
    return (value as { telemetry?: unknown } | null)?.telemetry ?? null;
  } catch (error) {
    if (error instanceof DomainError) return null;
    throw error;
  }
}
