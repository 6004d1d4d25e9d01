/** What a record is once everything but epoch and window has been checked, whatever format carried it. */
import type { KeyAlgorithm } from '@outrider/crypto';
import type { DomainError } from '@outrider/errors';
import type { DeviceId, Epoch, SequenceNumber, StreamName, Thumbprint } from '@outrider/ids';

/** What carried a record, and so how its raw bytes are verified again. */
export type RecordFormat = 'json' | 'cose' | 'jws' | BatchFormat;
export type BatchFormat = 'json-batch' | 'cose-batch';

/** A signed batch as received, one object for all its records. */
export interface SignedBatch {
  /** Of `bytes`. */
  readonly sha256: Uint8Array;
  readonly format: BatchFormat;
  /** json-batch: the payload's slice; cose-batch: the whole COSE_Sign1. */
  readonly bytes: Uint8Array;
  /** As received; null where it is inside `bytes`. */
  readonly signature: string | null;
}

/** A record that passed every check but epoch and window. `ts` in seconds, as the vehicle says. */
export interface VerifiedRecord {
  readonly deviceId: DeviceId;
  readonly stream: StreamName;
  readonly epoch: Epoch;
  readonly seq: SequenceNumber;
  readonly ts: number;
  /** Of the certificate that it verified under. */
  readonly thumbprint: Thumbprint;
  readonly algorithm: KeyAlgorithm;
  /** `jti` of the access token that it came with. */
  readonly tokenId: string;
  readonly format: RecordFormat;
  /**
   * json: the payload's slice; cose: the whole COSE_Sign1; jws: the compact or flattened text; batches: the record's own slice (JSON text
   * or CBOR), which verifies only as part of `batch`. Always as received; may be a view into the request's body.
   */
  readonly payload: Uint8Array;
  /** As received for json; null where it is inside `payload` or the batch. */
  readonly signature: string | null;
  /** `index`: from 0, of the record in the batch. */
  readonly batch?: { readonly of: SignedBatch; readonly index: number };
  /** Hex SHA-256 of the canonical record: JCS of the record in JSON's data model, whatever format carried it. */
  readonly canonicalSha256: string;
  /** The record's payload as JSON text: as received for JSON and JWS, the projection for CBOR and for a batch's record. */
  text(): string;
}

/** A record or a message that was refused. `of`: its place, where its signature held and it was refused for its time alone. */
export interface RefusedRecord {
  readonly refused: DomainError;
  readonly seq: number | null;
  readonly of?: { readonly stream: StreamName; readonly epoch: Epoch; readonly seq: SequenceNumber };
}

export type Checked = VerifiedRecord | RefusedRecord;
