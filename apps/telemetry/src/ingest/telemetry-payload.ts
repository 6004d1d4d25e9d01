/** The strict schema of a payload, and the digest that names a record whatever carried it. */
import { canonicalize } from '@outrider/canonicalization';
import { sha256Hex } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { DeviceId, Epoch, SequenceNumber, StreamName } from '@outrider/ids';
import { z } from 'zod';
import { MAX_PAYLOAD_BYTES } from './limits.js';

export const DEFAULT_STREAM = StreamName.parse('main');
export const DEFAULT_EPOCH = Epoch.parse(0);
/** Seconds; the last second of the year 9999. */
const MAX_TS = 253_402_300_799;
export const Ts = z.number().min(0).max(MAX_TS);

/** An object, left as it is: a schema that copies would drop a member named `__proto__`, which was signed. */
export const Telemetry = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'an object is required',
);

/** Neither `typ` nor `records`: no batch and no log segment can be taken for a message (docs/protocols/contexts.md). */
export const TelemetryPayload = z.strictObject({
  device_id: DeviceId,
  stream: StreamName.optional(),
  epoch: Epoch.optional(),
  seq: SequenceNumber,
  ts: Ts,
  telemetry: Telemetry,
});
export type TelemetryPayload = z.output<typeof TelemetryPayload>;

/** @throws DomainError `telemetry.invalid` */
export function parsePayload(value: unknown): TelemetryPayload {
  const parsed = TelemetryPayload.safeParse(value);
  if (parsed.success) return parsed.data;
  throw misfit(parsed.error);
}

/** `telemetry.invalid`, naming the members that do not fit, without their values. */
export function misfit(cause: z.ZodError): DomainError {
  const detail = cause.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.') || 'payload'}: ${issue.message}`)
    .join('; ');
  return new DomainError('telemetry.invalid', { cause, detail });
}

/**
 * Hex SHA-256 of the canonical record: JCS of the payload, with `stream` and `epoch` left out where they say the default. The same
 * record has the same digest in any spelling, under any signature, and later in any batch.
 * @param value the payload as JSON.parse gives it; @param jcs its JCS, which is the record's in the common case
 */
export function recordDigest(value: Record<string, unknown>, jcs: string): string {
  if (value.stream !== DEFAULT_STREAM && value.epoch !== DEFAULT_EPOCH) return sha256Hex(jcs);
  const { stream, epoch, ...rest } = value;
  const said = {
    ...(stream === undefined || stream === DEFAULT_STREAM ? {} : { stream }),
    ...(epoch === undefined || epoch === DEFAULT_EPOCH ? {} : { epoch }),
  };
  return sha256Hex(canonicalize({ ...rest, ...said }));
}

/** The canonical record itself, whose digest `recordDigest` gives. @param telemetry JCS of the member */
export function canonicalRecord(record: Omit<TelemetryPayload, 'telemetry'>, telemetry: string): string {
  const { device_id, stream, epoch, seq, ts } = record;
  const saidEpoch = epoch === undefined || epoch === DEFAULT_EPOCH ? '' : `"epoch":${epoch},`;
  const saidStream = stream === undefined || stream === DEFAULT_STREAM ? '' : `"stream":"${stream}",`;
  return `{"device_id":"${device_id}",${saidEpoch}"seq":${seq},${saidStream}"telemetry":${telemetry},"ts":${ts}}`;
}

/** CBOR may grow as it becomes JSON: what comes out is bounded as what came in. */
export function textFits(text: string): boolean {
  return text.length <= MAX_PAYLOAD_BYTES / 3 || Buffer.byteLength(text) <= MAX_PAYLOAD_BYTES;
}
export const TEXT_TOO_LONG = `payload: more than ${MAX_PAYLOAD_BYTES} bytes as JSON`;
