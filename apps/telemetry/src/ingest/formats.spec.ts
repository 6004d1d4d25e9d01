import { describe, expect, it, test } from '@jest/globals';
import { canonicalize, encodeCbor } from '@outrider/canonicalization';
import { sha256Hex } from '@outrider/crypto';
import fc from 'fast-check';
import {
  batchPayload,
  COSE,
  COSE_SEQUENCE,
  coseMessage,
  flattened,
  JOSE,
  JOSE_JSON,
  jsonMessage,
  jwsMessage,
  key,
  NOW,
  payload,
  record,
  thumbprint,
  verdicts,
} from './formats.fixture.js';
import { readBody } from './read-body.js';

const compact = jwsMessage(key, payload());
const CARRIERS: [string, string, Uint8Array | string][] = [
  ['json', 'application/json', JSON.stringify(jsonMessage(key, payload()))],
  ['cose', COSE, coseMessage(key, payload())],
  ['cose', 'application/cose', coseMessage(key, payload(), { tagged: false })],
  ['cose', COSE_SEQUENCE, coseMessage(key, payload())],
  ['cose', 'application/cbor-seq', coseMessage(key, payload())],
  ['jws', JOSE, compact],
  ['jws', JOSE, `${compact}\r\n`],
  ['jws', JOSE_JSON, JSON.stringify(flattened(compact))],
  ['jws', 'application/json', JSON.stringify([flattened(compact)])],
  ['jws', 'application/x-ndjson', `${JSON.stringify(flattened(compact))}\n`],
  [
    'json-batch',
    'application/json',
    JSON.stringify(
      jsonMessage(key, batchPayload('device-1', 7, NOW, 1, { records: [{ ts: NOW, telemetry: { speed: 42.3 } }] })),
    ),
  ],
  [
    'cose-batch',
    COSE,
    coseMessage(key, batchPayload('device-1', 7, NOW, 1, { records: [{ ts: NOW, telemetry: { speed: 42.3 } }] })),
  ],
];

describe('one record in whatever carries it', () => {
  test.each(CARRIERS)('%s, %s', (format, type, body) => {
    const one = record(body, type);
    expect(one).toMatchObject({
      ...{ format, deviceId: 'device-1', stream: 'main', epoch: 0, seq: 7, ts: NOW },
      ...{ thumbprint, algorithm: 'EdDSA', tokenId: 'token-1' },
      canonicalSha256: sha256Hex(canonicalize(payload())),
    });
    expect(canonicalize(JSON.parse(one.text()))).toBe(canonicalize(payload()));
    expect(one.signature === null).toBe(format !== 'json');
    expect(one.batch === undefined).toBe(!format.endsWith('batch'));
  });

  it('keeps the bytes as received, in every format', () => {
    const bytes = Object.fromEntries(
      CARRIERS.map(([format, type, body]) => [`${format} ${type}`, record(body, type).payload]),
    );
    expect(Buffer.from(bytes['jws application/jose']!).toString()).toBe(compact);
    expect(JSON.parse(Buffer.from(bytes['jws application/x-ndjson']!).toString())).toEqual(flattened(compact));
    expect(Buffer.from(bytes[`cose ${COSE}`]!)).toEqual(coseMessage(key, payload()));
    expect(Buffer.from(bytes['json-batch application/json']!).toString()).toBe(
      `{"ts":${NOW},"telemetry":{"speed":42.3}}`,
    );
    expect(Buffer.from(bytes[`cose-batch ${COSE}`]!)).toEqual(encodeCbor({ ts: NOW, telemetry: { speed: 42.3 } }));
  });

  it('has one digest, whatever JSON can say', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue().filter(isExchanged)),
        fc.constantFrom({}, { stream: 'main', epoch: 0 }, { epoch: 3 }),
        (telemetry, more) => {
          const value = payload({ telemetry, ...more });
          const { seq, ts, device_id, telemetry: _, ...rest } = value;
          const batch = {
            typ: 'outrider/telemetry-batch/v1',
            device_id,
            seq,
            ts,
            records: [{ ts, telemetry }],
            ...rest,
          };
          const digests = [
            record(JSON.stringify(jsonMessage(key, value)), 'application/json'),
            record(coseMessage(key, value), COSE),
            record(jwsMessage(key, value), JOSE),
            record(JSON.stringify(jsonMessage(key, batch)), 'application/json'),
            record(coseMessage(key, batch), COSE),
          ].map((one) => [one.canonicalSha256, canonicalize(JSON.parse(one.text()))]);
          expect(new Set(digests.map(([digest]) => digest)).size).toBe(1);
        },
      ),
    );
  });

  it('keeps a telemetry member named __proto__, which was signed like any other', () => {
    const telemetry = JSON.parse('{"__proto__":{"a":1},"b":2}');
    const digests = [
      record(JSON.stringify(jsonMessage(key, payload({ telemetry }))), 'application/json'),
      record(coseMessage(key, payload({ telemetry })), COSE),
      record(
        JSON.stringify(jsonMessage(key, batchPayload('device-1', 7, NOW, 1, { records: [{ ts: NOW, telemetry }] }))),
        'application/json',
      ),
    ].map(({ canonicalSha256 }) => canonicalSha256);
    expect(new Set(digests)).toEqual(new Set([sha256Hex(canonicalize(payload({ telemetry })))]));
  });
});

describe('the types of bodies', () => {
  test.each([
    ['application/cose; cose-type=cose-sign1', 'verified'],
    ['Application/COSE ; charset=x; COSE-TYPE="COSE-Sign1"', 'verified'],
    ['application/cose; cose-type="cose-sign"', 'request.unsupported_media_type'],
    ['application/cose; cose-type="cose-mac0"', 'request.unsupported_media_type'],
    ['application/cbor', 'request.unsupported_media_type'],
    ['text/plain', 'request.unsupported_media_type'],
    ['constructor', 'request.unsupported_media_type'],
    ['', 'request.unsupported_media_type'],
  ])('%s: %s', (type, code) => {
    expect(verdicts(coseMessage(key, payload()), type)).toBe(code);
  });

  it('say whether one message was sent by itself: a signed batch never is', () => {
    const batch = batchPayload('device-1', 7, NOW, 3);
    const single = (body: Uint8Array | string, type: string) => readBody(Buffer.from(body), type).single;
    expect(CARRIERS.map(([, type, body]) => single(body, type))).toEqual([
      true,
      true,
      true,
      false,
      false,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(readBody(coseMessage(key, batch), COSE)).toMatchObject({ single: false, records: 3 });
  });

  it('count the records of batches among the thousand of a body', () => {
    const batch = (count: number, seq = 1) => jsonMessage(key, batchPayload('device-1', seq, NOW, count));
    const lines = (...messages: unknown[]) => messages.map((message) => JSON.stringify(message)).join('\n');
    const type = 'application/x-ndjson';
    expect(readBody(Buffer.from(lines(batch(999), batch(1))), type).records).toBe(1000);
    expect(verdicts(lines(batch(999), batch(2)), type)).toBe('request.too_large');
    expect(verdicts(JSON.stringify(batch(1001)), 'application/json')).toBe('request.too_large');
    expect(verdicts(coseMessage(key, batchPayload('device-1', 1, NOW, 1001)), COSE)).toBe('request.too_large');
    expect(verdicts(Buffer.concat(Array(1001).fill(Buffer.from([0]))), COSE_SEQUENCE)).toBe('request.too_large');
    expect(verdicts(Buffer.alloc(0), COSE_SEQUENCE)).toBe('request.invalid');
  });
});

/** JSON messages hold no integer beyond 2^53-1, which a float of CBOR may be. */
function isExchanged(value: unknown): boolean {
  return !/\d{16}/.test(JSON.stringify(value));
}
