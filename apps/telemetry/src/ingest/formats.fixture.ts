/** Messages in every format, made by the libraries that a vehicle would use, and what is said of them. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { canonicalize, encodeCbor } from '@outrider/canonicalization';
import { COSE_EXTERNAL_AAD, JCS_TYP, JWS_TYP, sign, signCoseSign1, signJws, verificationKeyOf } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { Thumbprint } from '@outrider/ids';
import { checkMessage } from './check-message.js';
import { readBody } from './read-body.js';
import type { Checked, VerifiedRecord } from './verified-record.js';

export const COSE = 'application/cose; cose-type="cose-sign1"';
export const COSE_SEQUENCE = 'application/cose-seq';
export const JOSE = 'application/jose';
export const JOSE_JSON = 'application/jose+json';

export type Payload = Record<string, unknown>;

export function jsonMessage(key: KeyObject, payload: Payload, kid?: string): Payload {
  const signature = sign(key, Buffer.from(canonicalize(payload))).toString('base64url');
  return { payload, signature, ...(kid ? { kid } : {}) };
}

export function coseMessage(
  key: KeyObject,
  payload: Payload,
  more: { kid?: Uint8Array; tagged?: boolean } = {},
): Buffer {
  const externalAad =
    payload.typ === JCS_TYP.telemetryBatch ? COSE_EXTERNAL_AAD.telemetryBatch : COSE_EXTERNAL_AAD.telemetry;
  return signCoseSign1({ payload: encodeCbor(payload), key, externalAad, ...more });
}

export function jwsMessage(key: KeyObject, payload: Payload | string, header: object = {}): string {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return signJws({ header: { typ: JWS_TYP.telemetry, ...header }, payload: text, key });
}

export function flattened(compact: string, header?: object): Payload {
  const [protectedHeader, payload, signature] = compact.split('.');
  return { protected: protectedHeader, payload, signature, ...(header ? { header } : {}) };
}

/** The payload of a batch of `count` records, a second apart. */
export function batchPayload(deviceId: string, seq: number, ts: number, count: number, more: Payload = {}): Payload {
  const records = Array.from({ length: count }, (_, index) => ({ ts: ts + index, telemetry: { speed: 40.5 + index } }));
  return { typ: JCS_TYP.telemetryBatch, device_id: deviceId, seq, ts, records, ...more };
}

export const NOW_MS = 1_800_000_000_000;
export const NOW = NOW_MS / 1000;
export const CONTEXT = { nowMs: NOW_MS, skewSeconds: 120, tokenId: 'token-1' };
export const key = generateKeyPairSync('ed25519').privateKey;
export const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
export const thumbprint = Thumbprint.parse('A'.repeat(43));
const SIGNER = { thumbprint, key: verificationKeyOf(key) };
export const payload = (more: Payload = {}): Payload => ({
  device_id: 'device-1',
  seq: 7,
  ts: NOW,
  telemetry: { speed: 42.3 },
  ...more,
});

/** Every record of a body, checked. */
export function checked(body: Uint8Array | string, type: string, by = SIGNER): Checked[] {
  return readBody(Buffer.from(body), type).messages.flatMap((message) =>
    'unreadable' in message ? [{ refused: message.unreadable, seq: message.seq }] : checkMessage(message, by, CONTEXT),
  );
}

export const said = (one: Checked): string => ('refused' in one ? one.refused.code : 'verified');

/** One word for a body: the code that refuses it as a whole, or what is said of its records. */
export function verdicts(body: Uint8Array | string, type: string): string {
  try {
    return [...new Set(checked(body, type).map(said))].join(' ');
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
}

export function record(body: Uint8Array | string, type: string, by = SIGNER): VerifiedRecord {
  const [one] = checked(body, type, by);
  if (!one || 'refused' in one) throw one?.refused ?? new Error('no record');
  return one;
}
