/** A telemetry record in the formats beside plain JSON, put together by hand for a P-256 key. */
import { cbor } from './cbor.js';
import { canonical } from './message.js';

/** r || s over the bytes. */
export type Signer = (bytes: Uint8Array) => Buffer;

export const FORMS = ['cose', 'jws', 'flattened jws', 'json batch', 'cose batch'] as const;
export type Form = (typeof FORMS)[number];

export interface Body {
  readonly body: string | Buffer;
  readonly contentType: string;
}

export const COSE = 'application/cose; cose-type="cose-sign1"';
const BATCH = 'outrider/telemetry-batch/v1';
const ES256 = -7;

/** The record alone in that form; in a batch it is the only one. */
export function inForm(form: Form, record: object, sign: Signer): Body {
  switch (form) {
    case 'cose':
      return { body: coseSign1(cbor(record), sign), contentType: COSE };
    case 'cose batch':
      return { body: coseSign1(cbor(batchOf([record])), sign, BATCH), contentType: COSE };
    case 'json batch':
      return { body: jsonBatch([record], sign), contentType: 'application/json' };
    case 'jws':
      return { body: jws(JSON.stringify(record), sign), contentType: 'application/jose' };
    case 'flattened jws': {
      const [header, payload, signature] = jws(JSON.stringify(record), sign).split('.');
      return { body: JSON.stringify({ protected: header, payload, signature }), contentType: 'application/jose+json' };
    }
  }
}

/** `payload`: CBOR, or what shall pass for it. */
export function coseSign1(payload: Uint8Array, sign: Signer, context = 'outrider/telemetry/v1'): Buffer {
  const protectedHeaders = cbor(new Map([[1, ES256]]));
  const signed = cbor(['Signature1', protectedHeaders, Buffer.from(context), payload]);
  return Buffer.concat([Buffer.of(0xd2), cbor([protectedHeaders, {}, payload, sign(signed)])]);
}

export function jws(payload: string, sign: Signer): string {
  const header = JSON.stringify({ alg: 'ES256', typ: 'outrider-telemetry+jws' });
  const signed = [header, payload].map((part) => Buffer.from(part).toString('base64url')).join('.');
  return `${signed}.${sign(Buffer.from(signed)).toString('base64url')}`;
}

/** Records of consecutive numbers as one signed batch. */
export function jsonBatch(records: readonly object[], sign: Signer): string {
  const payload = batchOf(records);
  return JSON.stringify({ payload, signature: sign(Buffer.from(canonical(payload))).toString('hex') });
}

function batchOf(records: readonly object[]): object {
  const { telemetry: _, ...first } = records[0] as { telemetry: unknown; ts: number };
  const parts = (records as { ts: number; telemetry: unknown }[]).map(({ ts, telemetry }) => ({ ts, telemetry }));
  return { ...first, typ: BATCH, records: parts };
}
