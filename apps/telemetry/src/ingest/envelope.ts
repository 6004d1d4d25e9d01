/** What a message is before its signature has been verified: who it claims to be, and the parts that its format needs for verifying. */
import type { CoseSign1, JsonNode } from '@outrider/canonicalization';
import { JCS_TYP, type ParsedJws } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import type { Thumbprint } from '@outrider/ids';

/** What a message says of itself, unverified: for the binding, for finding its key and for naming it in the answer. */
export interface Claims {
  readonly kid: Thumbprint | undefined;
  readonly deviceId: string | undefined;
  /** Of a signed batch: the first record's. */
  readonly seq: number | null;
  /** How many records it holds; undefined when it is no signed batch. */
  readonly batchOf: number | undefined;
}

export interface JsonEnvelope extends Claims {
  readonly format: 'json';
  readonly payload: JsonNode;
  readonly signature: string;
}

/** `value`: the payload decoded. `bytes`: the whole COSE_Sign1. */
export interface CoseEnvelope extends Claims {
  readonly format: 'cose';
  readonly cose: CoseSign1;
  readonly value: unknown;
  readonly bytes: Uint8Array;
}

/** `bytes`: the compact text, or the flattened object, as received. */
export interface JwsEnvelope extends Claims {
  readonly format: 'jws';
  readonly jws: ParsedJws;
  readonly payload: JsonNode;
  readonly bytes: Uint8Array;
}

export type Envelope = JsonEnvelope | CoseEnvelope | JwsEnvelope;

/** What has not the shape of a message, with the seq it seems to carry. */
export interface Unreadable {
  readonly unreadable: DomainError;
  readonly seq: number | null;
}

export function unreadable(detail: string, seq: number | null): Unreadable {
  return { unreadable: new DomainError('telemetry.invalid', { detail }), seq };
}

/** Runs `read`; what it refuses becomes a message that cannot be read, so that its neighbours still can. */
export function readable(read: () => Envelope | Unreadable): Envelope | Unreadable {
  try {
    return read();
  } catch (error) {
    if (error instanceof DomainError) return { unreadable: error, seq: null };
    throw error;
  }
}

/** The claims of a payload that is JSON. */
export function claimsOfJson(payload: JsonNode): Omit<Claims, 'kid'> {
  const isBatch = payload.member('typ')?.string() === JCS_TYP.telemetryBatch;
  return {
    deviceId: payload.member('device_id')?.string(),
    seq: claimedSeq(payload.member('seq')?.number()),
    batchOf: isBatch ? (payload.member('records')?.elements().length ?? 0) : undefined,
  };
}

export function claimedSeq(seq: unknown): number | null {
  return Number.isSafeInteger(seq) ? (seq as number) : null;
}
