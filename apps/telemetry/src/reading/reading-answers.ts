/** How stored records look in answers. */
import { Instant, page } from '@outrider/contracts';
import { DeviceId } from '@outrider/ids';
import { z } from 'zod';

const record = {
  device_id: DeviceId,
  stream: z.string(),
  epoch: z.int(),
  seq: z.int(),
  ts: z.number().describe('Seconds since 1970, by the vehicle’s clock.'),
  received_at: Instant,
  latency_ms: z.number(),
  format: z.enum(['json', 'cose', 'jws', 'json-batch', 'cose-batch']),
  algorithm: z.string().nullable(),
  token_id: z.string().nullable(),
  thumbprint: z.string(),
  canonical_sha256: z.string(),
  batch: z.strictObject({ sha256: z.string(), index: z.int() }).nullable(),
  source: z.enum(['live', 'log']),
  log: z
    .strictObject({
      order: z.string(),
      log: z.string(),
      segment: z.int(),
      standing: z.enum(['trusted', 'unanchored']),
    })
    .nullable(),
  /** Of a line of NDJSON: where to go on behind it. */
  cursor: z.string().optional(),
} as const;

export const RawRecord = z
  .strictObject({
    ...record,
    payload: z.string(),
    payload_encoding: z.enum(['text', 'base64']),
    signature: z.string().nullable(),
  })
  .meta({ id: 'RawRecord' });

export const DecodedRecord = z.strictObject({ ...record, telemetry: z.unknown() }).meta({ id: 'DecodedRecord' });

/** `next` also behind the last record, which later ones will follow; null of a page without any. */
export const RecordPage = page(z.union([RawRecord, DecodedRecord])).meta({ id: 'RecordPage' });
