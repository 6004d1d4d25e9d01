/** Decides how records travel that are signed when they are sent: one by one as COSE_Sign1, or as batches with one signature each. */
import { canonicalize, encodeCbor } from '@outrider/canonicalization';
import { COSE_EXTERNAL_AAD, JCS_TYP, type KeyAlgorithm, prepareCoseSign1 } from '@outrider/crypto';

export const FORMATS = ['json', 'cose', 'json-batch', 'cose-batch'] as const;
export type TelemetryFormat = (typeof FORMATS)[number];
/** What the platform takes as one batch. */
const MAX_BATCH = 1_000;

/** `payload`: the record's JSON. */
export interface CarriedRecord {
  readonly payload: string;
  readonly epoch: number;
  readonly seq: number;
  readonly ts: number;
}

/** `complete`: the message, once the bytes are signed (64 bytes, or r || s). */
export interface Unsigned {
  readonly toBeSigned: Uint8Array;
  readonly complete: (signature: Uint8Array) => Uint8Array;
}

export interface Carriage {
  readonly contentType: string;
  readonly messages: readonly Unsigned[];
  readonly join: (messages: readonly Uint8Array[]) => Uint8Array;
}

/** @param records in the order of their numbers, not none; @param now in seconds: when a batch is signed */
export function carry(
  format: Exclude<TelemetryFormat, 'json'>,
  records: readonly CarriedRecord[],
  algorithm: KeyAlgorithm,
  now: number,
): Carriage {
  const sequence = {
    contentType: 'application/cose-seq',
    join: (messages: readonly Uint8Array[]) => Buffer.concat(messages),
  };
  if (format === 'cose') {
    const externalAad = COSE_EXTERNAL_AAD.telemetry;
    const messages = records.map(({ payload }) =>
      prepareCoseSign1({ payload: encodeCbor(JSON.parse(payload)), externalAad }, algorithm),
    );
    return { ...sequence, messages };
  }
  const batches = batchesOf(records).map((run) => toBatch(run, now));
  if (format === 'json-batch') {
    const join = (messages: readonly Uint8Array[]) => Buffer.from(messages.map((one) => `${one}\n`).join(''));
    return { contentType: 'application/x-ndjson', messages: batches.map(jsonBatch), join };
  }
  const externalAad = COSE_EXTERNAL_AAD.telemetryBatch;
  const messages = batches.map((batch) => prepareCoseSign1({ payload: encodeCbor(batch), externalAad }, algorithm));
  return { ...sequence, messages };
}

function jsonBatch(batch: object): Unsigned {
  const payload = canonicalize(batch);
  const complete = (signature: Uint8Array) =>
    Buffer.from(`{"payload":${payload},"signature":"${Buffer.from(signature).toString('base64url')}"}`);
  return { toBeSigned: Buffer.from(payload), complete };
}

/** Runs of records that one batch can hold: consecutive numbers of one epoch, times that do not decrease. */
export function batchesOf<R extends CarriedRecord>(records: readonly R[]): R[][] {
  const batches: R[][] = [];
  for (const record of records) {
    const batch = batches.at(-1);
    const last = batch?.at(-1);
    const follows = last && record.epoch === last.epoch && record.seq === last.seq + 1 && record.ts >= last.ts;
    if (batch && follows && batch.length < MAX_BATCH) batch.push(record);
    else batches.push([record]);
  }
  return batches;
}

function toBatch(records: readonly CarriedRecord[], now: number): object {
  const [first, ...others] = records.map(({ payload }) => JSON.parse(payload) as { ts: number; telemetry: unknown });
  const { ts, telemetry, ...common } = first!;
  const parts = [{ ts, telemetry }, ...others.map((one) => ({ ts: one.ts, telemetry: one.telemetry }))];
  return { ...common, typ: JCS_TYP.telemetryBatch, ts: now, records: parts };
}
