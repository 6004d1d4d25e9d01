/** The canonical record: one form, and so one digest, for the same record in whatever envelope, signature or batch it came. */
import { canonicalize } from '@outrider/canonicalization';
import { sha256Hex } from '@outrider/crypto';
import { z } from 'zod';

/** An object, left as it is: a schema that copies would drop a member named `__proto__`, which was signed. */
const Telemetry = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);

/** A single message's payload, as far as a row must agree with it. Strict: what has `typ` or `records` is no message. */
export const RecordPayload = z.strictObject({
  device_id: z.string(),
  stream: z.string().default('main'),
  epoch: z.int().default(0),
  seq: z.int(),
  ts: z.number(),
  telemetry: Telemetry,
});
export type RecordPayload = z.output<typeof RecordPayload>;

/** A signed batch: record i takes `seq` + i. */
export const BatchPayload = z.strictObject({
  typ: z.literal('outrider/telemetry-batch/v1'),
  device_id: z.string(),
  stream: z.string().default('main'),
  epoch: z.int().default(0),
  seq: z.int(),
  ts: z.number(),
  records: z.array(z.strictObject({ ts: z.number(), telemetry: Telemetry })),
});
export type BatchPayload = z.output<typeof BatchPayload>;

/** Hex SHA-256 of the JCS of the payload, without `stream` where it is `main` and without `epoch` where it is 0. */
export function canonicalDigest({ stream, epoch, ...rest }: RecordPayload): string {
  const said = { ...(stream === 'main' ? {} : { stream }), ...(epoch === 0 ? {} : { epoch }) };
  return sha256Hex(canonicalize({ ...rest, ...said }));
}

/** Record `index` of a batch as the single message that it stands for; undefined beyond its end. */
export function recordOfBatch(batch: BatchPayload, index: number): RecordPayload | undefined {
  const record = batch.records[index];
  if (!record) return undefined;
  const { device_id, stream, epoch, seq } = batch;
  return { device_id, stream, epoch, seq: seq + index, ...record };
}
