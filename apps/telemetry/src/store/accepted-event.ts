/** The event of an accepted record, written out: its parts have been checked, and a schema's second look costs more than the rest. */
import { messageAccepted, subjectOf } from '@outrider/contracts';
import type { VerifiedRecord } from '../ingest/verified-record.js';

/** What goes out on JetStream: `payload` is the JSON of the contract `messageAccepted`. */
export interface AcceptedEvent {
  readonly subject: string;
  readonly payload: Buffer;
}

/** Ids, digests and thumbprints are of alphabets that JSON takes as they are; the text is escaped. `receivedAt`: ISO 8601. */
export function acceptedEvent(record: VerifiedRecord, receivedAt: string): AcceptedEvent {
  const { deviceId, stream, epoch, seq, ts, canonicalSha256, thumbprint } = record;
  const payload =
    `{"deviceId":"${deviceId}","stream":"${stream}","epoch":${epoch},"seq":${seq},"ts":${ts},"receivedAt":"${receivedAt}",` +
    `"payload":${JSON.stringify(record.text())},"canonicalSha256":"${canonicalSha256}","thumbprint":"${thumbprint}"}`;
  return { subject: subjectOf(messageAccepted, deviceId), payload: Buffer.from(payload) };
}

/** Several events in one value, for the row that keeps them until they are published. */
export function packEvents(events: readonly AcceptedEvent[]): Buffer {
  const parts: Buffer[] = [];
  for (const { subject, payload } of events) {
    const head = Buffer.allocUnsafe(6 + subject.length);
    head.writeUInt16BE(subject.length, 0);
    head.writeUInt32BE(payload.length, 2);
    head.write(subject, 6, 'latin1');
    parts.push(head, payload);
  }
  return Buffer.concat(parts);
}

export function unpackEvents(packed: Buffer): AcceptedEvent[] {
  const events: AcceptedEvent[] = [];
  for (let at = 0; at < packed.length; ) {
    const body = at + 6 + packed.readUInt16BE(at);
    const end = body + packed.readUInt32BE(at + 2);
    events.push({ subject: packed.toString('latin1', at + 6, body), payload: packed.subarray(body, end) });
    at = end;
  }
  return events;
}
