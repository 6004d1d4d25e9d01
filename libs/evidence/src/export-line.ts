/** The lines of an export (NDJSON), one object each: head, authorities, then certificates, batches, deliveries, segments and records, at last the manifest. */
import { z } from 'zod';
import type { EvidenceDelivery, EvidenceSegment } from './log-segment.js';
import { type EvidenceRecord, isText, type RecordFormat } from './record.js';

const Hex = z.string().regex(/^[0-9a-f]{64}$/);
const Instant = z.iso.datetime();
/** Version 1 had no offline logs. */
const Version = z.literal([1, 2]);
const Standing = z.enum(['trusted', 'unanchored']);
const Format = z.enum(['json', 'cose', 'jws', 'json-batch', 'cose-batch']);

/** What the export holds: records of `device_id` received from `from` (included) to `to` (not included); null is open. */
const Range = { device_id: z.string(), from: Instant.nullable(), to: Instant.nullable(), made_at: Instant };

export const ExportHead = z.strictObject({ type: z.literal('export'), v: Version, ...Range });
/** A certificate of the vehicle CA or the infrastructure CA. Believed only by a chain to the anchor that the reader brings. */
export const AuthorityLine = z.strictObject({ type: z.literal('authority'), certificate: z.base64() });
/** Of a signer, before the first record that names it. */
export const CertificateLine = z.strictObject({
  type: z.literal('certificate'),
  thumbprint: z.string(),
  certificate: z.base64(),
  status: z.string(),
});
/** A signed batch, before its records; said again where it was said more than `BATCHES_KEPT` batches ago. `bytes`: base64. */
export const BatchLine = z.strictObject({
  type: z.literal('batch'),
  sha256: Hex,
  format: z.enum(['json-batch', 'cose-batch']),
  bytes: z.base64(),
  signature: z.string().nullable(),
});
/** The vehicle's word for the segments of a log, in answer to a fetch order. `delivery`: the JCS that was signed. */
export const DeliveryLine = z.strictObject({
  type: z.literal('delivery'),
  order: z.string(),
  log: z.string(),
  received_at: Instant,
  delivery: z.string(),
  signature: z.string(),
  thumbprint: z.string(),
});
/**
 * A segment of the delivery before it, in order, before its records. `head`: as received; JSON text, or base64 of COSE. `digests`: base64,
 * 32 bytes a record. `signer`: what had become of its certificate when it was received.
 */
export const SegmentLine = z.strictObject({
  type: z.literal('segment'),
  order: z.string(),
  log: z.string(),
  segment: z.int(),
  received_at: Instant,
  format: z.enum(['json', 'cose']),
  head: z.string(),
  signature: z.string().nullable(),
  thumbprint: z.string(),
  digests: z.base64().nullable(),
  signer: z.enum(['live', 'expired', 'superseded', 'revoked']),
  standing: Standing,
});
/** `payload`: as received; text for JSON and JWS, base64 for CBOR. `log`: of a record that an offline log brought; its signature is the segment's. */
export const RecordLine = z.strictObject({
  type: z.literal('record'),
  device_id: z.string(),
  stream: z.string(),
  epoch: z.int(),
  seq: z.int(),
  ts: z.number(),
  received_at: Instant,
  format: Format,
  algorithm: z.string().nullable(),
  token_id: z.string().nullable(),
  thumbprint: z.string(),
  canonical_sha256: Hex,
  payload: z.string(),
  signature: z.string().nullable(),
  batch: z.strictObject({ sha256: Hex, index: z.int() }).nullable(),
  log: z
    .strictObject({ order: z.string(), log: z.string(), segment: z.int(), standing: Standing })
    .nullable()
    .default(null),
});
export type RecordLine = z.output<typeof RecordLine>;
/** The last line: a JWS `outrider-export+jws` over `Manifest`. */
export const ManifestLine = z.strictObject({ type: z.literal('manifest'), jws: z.string() });

export const ExportLine = z.discriminatedUnion('type', [
  ExportHead,
  AuthorityLine,
  CertificateLine,
  BatchLine,
  DeliveryLine,
  SegmentLine,
  RecordLine,
  ManifestLine,
]);
export type ExportLine = z.output<typeof ExportLine>;

/** `sha256`: hex, of every byte of the file before the manifest's line. */
export const Manifest = z.strictObject({
  v: Version,
  ...Range,
  records: z.int(),
  certificates: z.array(z.string()),
  sha256: Hex,
});
export type Manifest = z.output<typeof Manifest>;

/** Batches that writer and reader remember, the last ones. */
export const BATCHES_KEPT = 64;

export function encodeRaw(format: RecordFormat, bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(isText(format) ? 'utf8' : 'base64');
}

export function recordBytes({ payload, format }: RecordLine): Uint8Array {
  return Buffer.from(payload, isText(format) ? 'utf8' : 'base64');
}

/** Whether a time of receipt lies outside an export's range. */
export function isOutside(receivedAt: string, { from, to }: { from: string | null; to: string | null }): boolean {
  const at = Date.parse(receivedAt);
  return (from !== null && at < Date.parse(from)) || (to !== null && at >= Date.parse(to));
}

/** A line as evidence; `batch`: the one that it names, where it is known. */
export function toEvidence(line: RecordLine, batch: z.output<typeof BatchLine> | undefined): EvidenceRecord {
  return {
    deviceId: line.device_id,
    stream: line.stream,
    epoch: line.epoch,
    seq: line.seq,
    ts: line.ts,
    format: line.format,
    thumbprint: line.thumbprint,
    canonicalSha256: line.canonical_sha256,
    payload: recordBytes(line),
    signature: line.signature,
    batch:
      line.batch && batch
        ? { of: { bytes: Buffer.from(batch.bytes, 'base64'), signature: batch.signature }, index: line.batch.index }
        : undefined,
  };
}

export function deliveryEvidence({ order, log, delivery, signature }: z.output<typeof DeliveryLine>): EvidenceDelivery {
  return { orderId: order, log, bytes: Buffer.from(delivery), signature };
}

export function segmentEvidence(line: z.output<typeof SegmentLine>): EvidenceSegment {
  const { segment, log, format, head, signature, digests } = line;
  return {
    ...{ segment, log, format, signature },
    head: Buffer.from(head, format === 'json' ? 'utf8' : 'base64'),
    digests: digests === null ? null : Buffer.from(digests, 'base64'),
  };
}
