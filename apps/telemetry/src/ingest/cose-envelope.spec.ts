import { describe, expect, it, test } from '@jest/globals';
import { encodeCbor } from '@outrider/canonicalization';
import { signCoseSign1 } from '@outrider/crypto';
import {
  batchPayload,
  COSE,
  COSE_SEQUENCE,
  checked,
  coseMessage,
  key,
  NOW,
  other,
  payload,
  said,
  thumbprint,
  verdicts,
} from './formats.fixture.js';
import { readBody } from './read-body.js';

describe('COSE_Sign1', () => {
  const cbor = encodeCbor(payload());
  const signed = (
    bytes: Uint8Array,
    externalAad: 'outrider/telemetry/v1' | 'outrider/telemetry-batch/v1' = 'outrider/telemetry/v1',
  ) => signCoseSign1({ payload: bytes, key, externalAad });
  const raw = Buffer.from(thumbprint, 'base64url');
  const withHeaders = (unprotectedHeaders: Map<number, unknown>) => {
    const [message] = [coseMessage(key, payload(), { tagged: false })];
    // [protected, {}, payload, signature]: the empty map is one byte, after the 3 of the array and the protected headers' bytes
    const at = message.indexOf(0xa0);
    return Buffer.concat([message.subarray(0, at), encodeCbor(unprotectedHeaders), message.subarray(at + 1)]);
  };

  it('names its certificate by kid, raw or as text, and by x5t', () => {
    const kidOf = (body: Uint8Array) => {
      const [message] = readBody(body, COSE).messages;
      return message && 'unreadable' in message ? message.unreadable.code : message?.kid;
    };
    expect(kidOf(coseMessage(key, payload()))).toBeUndefined();
    expect(kidOf(coseMessage(key, payload(), { kid: raw }))).toBe(thumbprint);
    expect(kidOf(coseMessage(key, payload(), { kid: Buffer.from(thumbprint) }))).toBe(thumbprint);
    expect(kidOf(withHeaders(new Map([[34, [-16, raw]]])))).toBe(thumbprint);
    expect(
      kidOf(
        withHeaders(
          new Map<number, unknown>([
            [4, raw],
            [34, [-16, raw]],
          ]),
        ),
      ),
    ).toBe(thumbprint);
    expect(
      kidOf(
        withHeaders(
          new Map<number, unknown>([
            [4, Buffer.alloc(32, 1)],
            [34, [-16, raw]],
          ]),
        ),
      ),
    ).toBe('telemetry.invalid');
    expect(kidOf(withHeaders(new Map([[34, [-43, Buffer.alloc(48)]]])))).toBe('telemetry.invalid');
    expect(kidOf(withHeaders(new Map([[34, raw]])))).toBe('telemetry.invalid');
    expect(kidOf(coseMessage(key, payload(), { kid: Buffer.from('11') }))).toBe('telemetry.invalid');
    expect(kidOf(coseMessage(key, payload(), { kid: Buffer.alloc(0) }))).toBe('telemetry.invalid');
  });

  test.each<[string, Uint8Array, string]>([
    [
      'of a batch, in the context of a message',
      signed(encodeCbor(batchPayload('device-1', 7, NOW, 2))),
      'telemetry.bad_signature',
    ],
    ['of a message, in the context of a batch', signed(cbor, 'outrider/telemetry-batch/v1'), 'telemetry.bad_signature'],
    ['by another key', coseMessage(other, payload()), 'telemetry.bad_signature'],
    ['of names out of order', signed(Buffer.from('a26162016161f6', 'hex')), 'request.malformed'],
    [
      'of an indefinite length',
      signed(Buffer.concat([Buffer.from([0xbf]), cbor.subarray(1), Buffer.from([0xff])])),
      'request.malformed',
    ],
    ['of bytes', signed(encodeCbor(Buffer.from('{}'))), 'request.malformed'],
    ['of a list', signed(encodeCbor([1])), 'telemetry.invalid'],
    ['of text', signed(encodeCbor('{}')), 'telemetry.invalid'],
    ['of JSON', signed(Buffer.from(JSON.stringify(payload()))), 'request.malformed'],
    ['of a seq that is a fraction', coseMessage(key, payload({ seq: 1.5 })), 'telemetry.invalid'],
    ['of a seq that is text', coseMessage(key, payload({ seq: '7' })), 'telemetry.invalid'],
    ['of a seq of null', coseMessage(key, payload({ seq: null })), 'telemetry.invalid'],
    ['of a seq of nought', coseMessage(key, payload({ seq: 0 })), 'telemetry.invalid'],
    ['of a seq of 2^53, as a float', coseMessage(key, payload({ seq: 2 ** 53 })), 'telemetry.invalid'],
    ['of an unknown member', coseMessage(key, payload({ extra: 1 })), 'telemetry.invalid'],
    ['from long ago', coseMessage(key, payload({ ts: NOW - 121 })), 'telemetry.skewed'],
    ['with something after it', Buffer.concat([coseMessage(key, payload()), Buffer.from([0xf6])]), 'request.malformed'],
  ])('%s: its code', (_name, body, code) => {
    expect(verdicts(body, COSE)).toBe(code);
  });

  it('fails alone in a sequence, unless nobody can tell where it ends', () => {
    const [good, forged] = [coseMessage(key, payload()), coseMessage(other, payload({ seq: 8 }))];
    const noMessage = encodeCbor({ a: 1 });
    const codes = checked(Buffer.concat([good, noMessage, forged, good]), COSE_SEQUENCE).map(said);
    expect(codes).toEqual(['verified', 'request.malformed', 'telemetry.bad_signature', 'verified']);
    expect(verdicts(Buffer.concat([good, Buffer.from([0x9f])]), COSE_SEQUENCE)).toBe('request.malformed');
    expect(verdicts(good.subarray(0, -1), COSE_SEQUENCE)).toBe('request.malformed');
  });

  it('refuses every change of a single bit', () => {
    const message = coseMessage(key, payload());
    for (let bit = 0; bit < message.length * 8; bit++) {
      const flipped = Buffer.from(message);
      flipped[bit >>> 3]! ^= 1 << (bit & 7);
      expect(verdicts(flipped, COSE)).not.toBe('verified');
    }
  });

  it('is bounded as JSON too, into which it may grow', () => {
    const long = coseMessage(key, payload({ telemetry: { text: '\u0001'.repeat(60_000) } }));
    expect(verdicts(long, COSE)).toBe('telemetry.invalid');
    expect(verdicts(coseMessage(key, payload({ telemetry: { text: 'a'.repeat(260_000) } })), COSE)).toBe('verified');
    expect(verdicts(coseMessage(key, payload({ telemetry: { text: 'a'.repeat(262_200) } })), COSE)).toBe(
      'telemetry.invalid',
    );
  });
});
