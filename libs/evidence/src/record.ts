/** A stored record as its row says, and what its raw bytes say; nothing is believed before `verifyRecord`. */
import { decodeCbor, parseCoseSign1 } from '@outrider/canonicalization';
import { LIMITS, scan } from './scan.js';
import { storedJws } from './verify-envelope.js';

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

export function isBatchFormat(format: RecordFormat): boolean {
  return format === 'json-batch' || format === 'cose-batch';
}

/** Whether the raw bytes are text: JSON and JWS are, CBOR is not. */
export function isText(format: RecordFormat): boolean {
  return format === 'json' || format === 'jws' || format === 'json-batch';
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
      return scan(storedJws(payload).payload).value();
    case 'cose':
      return decodeCbor(parseCoseSign1(payload, LIMITS.maxBytes).payload, LIMITS);
    case 'cose-batch':
      return decodeCbor(payload, LIMITS);
  }
}
