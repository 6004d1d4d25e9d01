import { generateKeyPairSync } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { encodeCbor } from '@outrider/canonicalization';
import { COSE_EXTERNAL_AAD, signCoseSign1 } from '@outrider/crypto';
import { readSegment, readSignedHead } from './log-segment.js';
import { headOnly, TestLog } from './offline-log.fixture.js';

const { privateKey } = generateKeyPairSync('ed25519');
const [segment] = new TestLog('device-1', privateKey).fill(1, 2, 1_772_366_400).segments;
const { head, signature } = headOnly(segment!);
const malformed = expect.objectContaining({ code: 'telemetry.log_malformed' });
const padded = (bytes: number) =>
  `{"head":${JSON.stringify(head).replace('{', `{${' '.repeat(bytes)}`)},"signature":"${signature}"}`;
const cose = (kid?: Uint8Array) =>
  signCoseSign1({
    payload: encodeCbor(head),
    key: privateKey,
    externalAad: COSE_EXTERNAL_AAD.logSegment,
    ...(kid ? { kid } : {}),
  });

it('a head is stored as it came, so what it may be blown up to is bounded', () => {
  expect(readSignedHead(Buffer.from(padded(10))).head.segment).toBe(1);
  for (const read of [readSignedHead, readSegment]) expect(() => read(Buffer.from(padded(9_000)))).toThrow(malformed);
  for (const read of [readSignedHead, readSegment]) expect(() => read(cose(Buffer.alloc(9_000)))).toThrow(malformed);
});

it('a head alone brings no records', () => {
  expect(readSignedHead(cose()).head.segment).toBe(1);
  const withRecords = Buffer.concat([cose(), encodeCbor(segment!.records)]);
  expect(readSegment(withRecords).records).toHaveLength(2);
  expect(() => readSignedHead(withRecords)).toThrow(malformed);
});
