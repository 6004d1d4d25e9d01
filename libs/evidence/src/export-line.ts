/** The lines of an export (NDJSON), one object each: head, authorities, then certificates, batches and records, at last the manifest. */
import { z } from 'zod';
import type { EvidenceRecord, RecordFormat } from './record.js';
import { isText } from './record.js';

const Hex = z.string().regex(/^[0-9a-f]{64}$/);
const Instant = z.iso.datetime();
const Format = z.enum(['json', 'cose', 'jws', 'json-batch', 'cose-batch']);

/** What the export holds: records of `device_id` received from `from` (included) to `to` (not included); null is open. */
const Range = { device_id: z.string(), from: Instant.nullable(), to: Instant.nullable(), made_at: Instant };

export const ExportHead = z.strictObject({ type: z.literal('export'), v: z.literal(1), ...Range });
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
/** `payload`: as received; text for JSON and JWS, base64 for CBOR. */
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
});
export type RecordLine = z.output<typeof RecordLine>;
/** The last line: a JWS `outrider-export+jws` over `Manifest`. */
export const ManifestLine = z.strictObject({ type: z.literal('manifest'), jws: z.string() });

export const ExportLine = z.discriminatedUnion('type', [
  ExportHead,
  AuthorityLine,
  CertificateLine,
  BatchLine,
  RecordLine,
  ManifestLine,
]);
export type ExportLine = z.output<typeof ExportLine>;

/** `sha256`: hex, of every byte of the file before the manifest's line. */
export const Manifest = z.strictObject({
  v: z.literal(1),
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
    payload: Buffer.from(line.payload, isText(line.format) ? 'utf8' : 'base64'),
    signature: line.signature,
    batch:
      line.batch && batch
        ? { of: { bytes: Buffer.from(batch.bytes, 'base64'), signature: batch.signature }, index: line.batch.index }
        : undefined,
  };
}
