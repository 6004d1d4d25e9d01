/** A stored record as its row says, and what its raw bytes say; nothing is believed before `verifyRecord`. */
import { scanJson } from '@outrider/canonicalization';
import { parseJws } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';

export type RecordFormat = 'json' | 'cose' | 'jws' | 'json-batch' | 'cose-batch';

/** A signed batch that a record came in. `bytes`: the payload's slice (JSON) or the whole COSE_Sign1; `signature`: null where it is inside. */
export interface EvidenceBatch {
  readonly bytes: Uint8Array;
  readonly signature: string | null;
}

/** A row with what proves it. `ts`: seconds; `index`: of the record in its batch, from 0. */
export interface EvidenceRecord {
  readonly deviceId: string;
  readonly stream: string;
  readonly epoch: number;
  readonly seq: number;
  readonly ts: number;
  readonly format: RecordFormat;
  readonly thumbprint: string;
  /** Hex. */
  readonly canonicalSha256: string;
  readonly payload: Uint8Array;
  readonly signature: string | null;
  readonly batch?: { readonly of: EvidenceBatch; readonly index: number } | undefined;
}

/** More than ingest takes of one body. */
const LIMITS = { maxBytes: 4 * 1_048_576, maxDepth: 64 };

export function isBatchFormat(format: RecordFormat): boolean {
  return format === 'json-batch' || format === 'cose-batch';
}

/** Whether the raw bytes are text: JSON and JWS are, CBOR is not. */
export function isText(format: RecordFormat): boolean {
  return format === 'json' || format === 'jws' || format === 'json-batch';
}

export function scan(bytes: Uint8Array) {
  return scanJson(bytes, LIMITS).root;
}

/**
 * The record's payload in JSON's data model: of a batch's record its own slice, `{"ts", "telemetry"}`.
 * @throws DomainError `request.malformed` for bytes that are none
 */
export function payloadOf({ format, payload }: Pick<EvidenceRecord, 'format' | 'payload'>): unknown {
  switch (format) {
    case 'json':
    case 'json-batch':
      return scan(payload).value();
    case 'jws':
      return scan(compactJws(payload).payload).value();
    default:
      throw new DomainError('request.malformed', { detail: `${format} is not read here` });
  }
}

/** The compact form of a JWS stored compact or flattened (RFC 7515 §7.1, §7.2.2). */
export function compactJws(bytes: Uint8Array) {
  return parseJws(Buffer.from(bytes).toString('latin1'), LIMITS.maxBytes);
}
