/** Stored messages as an operator is shown them, page by page. */
import { encodeCursor, type Position } from './cursor.js';

/** A row of `messages`; `received_us`: microseconds since the epoch, as digits. */
export interface StoredMessage {
  readonly device_id: Position[1];
  readonly stream: Position[2];
  readonly epoch: Position[3];
  readonly seq: string;
  readonly ts: number;
  readonly received_us: string;
  readonly received_at: Date;
  readonly payload: Buffer;
  readonly signature: string;
  readonly thumbprint: string;
  readonly canonical_sha256: Buffer;
}

/** `next`: where to go on, also after the last page, where later messages will follow; null while there is nothing. */
export function toPage(messages: readonly StoredMessage[], after: string | undefined) {
  const last = messages.at(-1);
  const next = last && encodeCursor([last.received_us, last.device_id, last.stream, last.epoch, last.seq]);
  return { items: messages.map(toItem), next: next ?? after ?? null };
}

/** `payload`: the JSON text exactly as it was received. */
function toItem(message: StoredMessage) {
  const { received_us, ...row } = message;
  return {
    ...row,
    seq: Number(row.seq),
    received_at: row.received_at.toISOString(),
    payload: row.payload.toString('utf8'),
    canonical_sha256: row.canonical_sha256.toString('hex'),
  };
}
