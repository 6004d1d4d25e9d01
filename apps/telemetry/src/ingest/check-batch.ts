/** Decides on a signed batch: one signature for n records that take seq .. seq + n - 1, a verdict for each. */
import { canonicalize, cborElements, cborMember } from '@outrider/canonicalization';
import { JCS_TYP, sha256, sha256Hex } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { DeviceId, Epoch, SequenceNumber, StreamName } from '@outrider/ids';
import { z } from 'zod';
import type { CoseEnvelope, Envelope, JsonEnvelope } from './envelope.js';
import { LIMITS, MAX_RECORDS } from './limits.js';
import type { MessageContext, Signer } from './message-context.js';
import { inTime } from './skew.js';
import {
  canonicalRecord,
  DEFAULT_EPOCH,
  DEFAULT_STREAM,
  misfit,
  TEXT_TOO_LONG,
  Telemetry,
  Ts,
  textFits,
} from './telemetry-payload.js';
import type { Checked, RefusedRecord, SignedBatch, VerifiedRecord } from './verified-record.js';
import { payloadValue, verifyEnvelope } from './verify-envelope.js';

/** `seq`: the first record's. `ts`: when the batch was signed, in seconds. The times of its records never decrease. */
const BatchPayload = z.strictObject({
  typ: z.literal(JCS_TYP.telemetryBatch),
  device_id: DeviceId,
  stream: StreamName.optional(),
  epoch: Epoch.optional(),
  seq: SequenceNumber,
  ts: Ts,
  records: z
    .array(z.strictObject({ ts: Ts, telemetry: Telemetry }))
    .min(1)
    .max(MAX_RECORDS),
});
type BatchPayload = z.output<typeof BatchPayload>;

type BatchEnvelope = JsonEnvelope | CoseEnvelope;

/** @param count of its records; what is wrong with the batch as a whole is said for each */
export function checkBatch(
  envelope: Envelope,
  count: number,
  signer: Signer,
  context: MessageContext,
): readonly Checked[] {
  try {
    return readBatch(envelope as BatchEnvelope, signer, context);
  } catch (error) {
    if (error instanceof DomainError) return refuseAll(error, envelope.seq, count);
    throw error;
  }
}

/** One refusal for each record; one in all where there is no record to name. */
export function refuseAll(refused: DomainError, firstSeq: number | null, count: number): RefusedRecord[] {
  return Array.from({ length: Math.max(1, count) }, (_, index) => {
    const seq = firstSeq === null ? null : firstSeq + index;
    return { refused, seq: Number.isSafeInteger(seq) ? seq : null };
  });
}

function readBatch(envelope: BatchEnvelope, signer: Signer, context: MessageContext): readonly Checked[] {
  const value = payloadValue(envelope);
  const read = BatchPayload.safeParse(value);
  const telemetry = read.success ? read.data.records.map((record) => canonicalize(record.telemetry)) : [];
  verifyEnvelope(envelope, signer.key, read.success ? canonicalBatch(read.data, telemetry) : canonicalize(value));
  if (!read.success) throw misfit(read.error);
  const batch = read.data;
  checkNumbers(batch);
  const of = signedBatch(envelope);
  const slices = recordSlices(envelope);
  const { device_id, stream, epoch } = batch;
  const common = {
    deviceId: device_id,
    stream: stream ?? DEFAULT_STREAM,
    epoch: epoch ?? DEFAULT_EPOCH,
    thumbprint: signer.thumbprint,
    algorithm: signer.key.algorithm,
    tokenId: context.tokenId,
    format: of.format,
    signature: null,
  };
  return batch.records.map((record, index) => {
    const seq = (batch.seq + index) as SequenceNumber;
    const text = canonicalRecord({ device_id, stream, epoch, seq, ts: record.ts }, telemetry[index]!);
    const verified: VerifiedRecord = {
      ...common,
      seq,
      ts: record.ts,
      payload: slices[index]!,
      batch: { of, index },
      canonicalSha256: sha256Hex(text),
      text: () => text,
    };
    return judge(verified, text, batch.ts, context);
  });
}

/** The batch's own time is judged like its records': an old batch is old whatever they say. */
function judge(record: VerifiedRecord, text: string, batchTs: number, context: MessageContext): Checked {
  if (!textFits(text)) return { refused: invalid(TEXT_TOO_LONG), seq: record.seq };
  const asSigned = inTime(record, batchTs, context);
  return 'refused' in asSigned ? asSigned : inTime(record, record.ts, context);
}

/** JCS of a batch that fits its schema, of which the telemetry is canonical already. */
function canonicalBatch(
  { typ, device_id, stream, epoch, seq, ts, records }: BatchPayload,
  telemetry: string[],
): string {
  const elements = records.map((record, index) => `{"telemetry":${telemetry[index]},"ts":${record.ts}}`).join(',');
  const saidEpoch = epoch === undefined ? '' : `"epoch":${epoch},`;
  const saidStream = stream === undefined ? '' : `"stream":"${stream}",`;
  const head = `{"device_id":"${device_id}",${saidEpoch}"records":[${elements}]`;
  return `${head},"seq":${seq},${saidStream}"ts":${ts},"typ":"${typ}"}`;
}

function checkNumbers({ seq, records }: BatchPayload): void {
  if (seq > Number.MAX_SAFE_INTEGER - (records.length - 1))
    throw invalid('seq: the last record would be beyond 2^53-1');
  for (let index = 1; index < records.length; index++) {
    if (records[index]!.ts < records[index - 1]!.ts)
      throw invalid(`records.${index}.ts: before the one of the record before`);
  }
}

function signedBatch(envelope: BatchEnvelope): SignedBatch {
  const isCose = envelope.format === 'cose';
  const bytes = isCose ? envelope.bytes : envelope.payload.raw;
  return {
    sha256: sha256(bytes),
    format: isCose ? 'cose-batch' : 'json-batch',
    bytes,
    signature: isCose ? null : envelope.signature,
  };
}

/** As received: each record's own JSON text or CBOR. */
function recordSlices(envelope: BatchEnvelope): readonly Uint8Array[] {
  if (envelope.format === 'json')
    return envelope.payload
      .member('records')!
      .elements()
      .map((node) => node.raw);
  return cborElements(cborMember(envelope.cose.payload, 'records', LIMITS)!, LIMITS)!;
}

function invalid(detail: string): DomainError {
  return new DomainError('telemetry.invalid', { detail });
}
