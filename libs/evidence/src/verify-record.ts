/** Decides whether a stored record's raw bytes still prove its row: signature first, then payload, digest and columns. */
import { signedForms } from '@outrider/canonicalization';
import { decodeSignature, type VerificationKey, verifySignature } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { BatchPayload, canonicalDigest, RecordPayload, recordOfBatch } from './canonical-record.js';
import { type EvidenceRecord, isBatchFormat } from './record.js';
import { scan } from './scan.js';
import { verifyCose, verifyJwsRecord } from './verify-envelope.js';

/**
 * Why a record does not stand. `row_mismatch`: its columns are not what was signed; `unreadable`: its bytes are no message;
 * `segment_missing`, `segment_invalid`: of an offline log's record, the segment that proves it is gone, or does not stand.
 */
export type RecordFault =
  | 'bad_signature'
  | 'unreadable'
  | 'row_mismatch'
  | 'digest_mismatch'
  | 'batch_missing'
  | 'certificate_missing'
  | 'certificate_invalid'
  | 'segment_missing'
  | 'segment_invalid';

export type RecordVerdict = { readonly ok: true } | { readonly ok: false; readonly fault: RecordFault };

const HOLDS: RecordVerdict = { ok: true };

/** Never throws for what a record holds. `key`: of the certificate that the row names, which the caller has judged. */
export function verifyRecord(record: EvidenceRecord, key: VerificationKey): RecordVerdict {
  try {
    if (isBatchFormat(record.format) && !record.batch) return fault('batch_missing');
    const value = signedValue(record, key);
    if (value === undefined) return fault('bad_signature');
    const payload = messageOf(record, value);
    if (!payload) return fault('unreadable');
    if (!agrees(record, payload)) return fault('row_mismatch');
    return canonicalDigest(payload) === record.canonicalSha256 ? HOLDS : fault('digest_mismatch');
  } catch (error) {
    if (error instanceof DomainError) return fault('unreadable');
    throw error;
  }
}

/** What the signature covers, in JSON's data model; undefined where it does not verify. */
function signedValue({ format, payload, signature, batch }: EvidenceRecord, key: VerificationKey): unknown {
  switch (format) {
    case 'json':
      return verifyJson(payload, signature, key);
    case 'json-batch':
      return verifyJson(batch!.of.bytes, batch!.of.signature, key);
    case 'jws':
      return verifyJwsRecord(payload, key);
    case 'cose':
      return verifyCose(payload, key, 'telemetry');
    case 'cose-batch':
      return verifyCose(batch!.of.bytes, key, 'telemetryBatch');
  }
}

/** JCS, or a token-preserving form: as ingest takes them. */
function verifyJson(bytes: Uint8Array, signature: string | null, key: VerificationKey): unknown {
  const decoded = signature === null ? undefined : decodeSignature(signature, key.algorithm);
  if (!decoded) return undefined;
  const node = scan(bytes);
  for (const form of signedForms(node)) if (verifySignature(key, form, decoded)) return node.value();
  return undefined;
}

function messageOf({ batch }: EvidenceRecord, value: unknown): RecordPayload | undefined {
  if (!batch) return RecordPayload.safeParse(value).data;
  const parsed = BatchPayload.safeParse(value).data;
  return parsed && recordOfBatch(parsed, batch.index);
}

export function agrees(
  record: Pick<EvidenceRecord, 'deviceId' | 'stream' | 'epoch' | 'seq' | 'ts'>,
  payload: RecordPayload,
): boolean {
  return (
    payload.device_id === record.deviceId &&
    payload.stream === record.stream &&
    payload.epoch === record.epoch &&
    payload.seq === record.seq &&
    payload.ts === record.ts
  );
}

function fault(name: RecordFault): RecordVerdict {
  return { ok: false, fault: name };
}
