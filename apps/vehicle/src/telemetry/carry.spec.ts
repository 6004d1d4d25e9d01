import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { canonicalize, cborSequence, decodeCbor, parseCoseSign1 } from '@outrider/canonicalization';
import { sign, verificationKeyOf, verifyCoseSign1, verifySignature } from '@outrider/crypto';
import { batchesOf, type CarriedRecord, carry } from './carry.js';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = verificationKeyOf(publicKey);
const LIMITS = { maxBytes: 1_000_000, maxDepth: 32 };
const NOW = 1_800_000_100;

function record(seq: number, ts = 1_800_000_000 + seq, epoch = 0): CarriedRecord {
  const said = epoch === 0 ? {} : { epoch };
  const payload = canonicalize({ device_id: 'device-1', ...said, seq, ts, telemetry: { speed: 40.5 + seq } });
  return { payload, epoch, seq, ts };
}

const signed = (...input: Parameters<typeof carry>) => {
  const { contentType, messages, join } = carry(...input);
  const body = join(messages.map(({ toBeSigned, complete }) => complete(sign(privateKey, toBeSigned))));
  return { contentType, body: Buffer.from(body) };
};

describe('carry', () => {
  const records = [record(1), record(2), record(4)];

  it('sends each record as a COSE_Sign1 of its own', () => {
    const { contentType, body } = signed('cose', records, 'ES256', NOW);
    expect(contentType).toBe('application/cose-seq');
    const messages = cborSequence(body, LIMITS, 10).map((item) => parseCoseSign1(item, 10_000));
    expect(messages.map((message) => verifyCoseSign1(message, key, { externalAad: 'outrider/telemetry/v1' }))).toEqual(
      records.map(() => ({ ok: true })),
    );
    expect(messages.map(({ payload }) => canonicalize(decodeCbor(payload, LIMITS)))).toEqual(
      records.map(({ payload }) => payload),
    );
  });

  const batch = (seq: number, ...parts: CarriedRecord[]) => ({
    typ: 'outrider/telemetry-batch/v1',
    device_id: 'device-1',
    seq,
    ts: NOW,
    records: parts.map(({ ts, payload }) => ({ ts, telemetry: JSON.parse(payload).telemetry })),
  });
  const expected = [batch(1, record(1), record(2)), batch(4, record(4))];

  it('sends consecutive records as one signed batch in JSON', () => {
    const { contentType, body } = signed('json-batch', records, 'ES256', NOW);
    expect(contentType).toBe('application/x-ndjson');
    const messages = body
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(messages.map(({ payload }) => payload)).toEqual(expected);
    for (const { payload, signature } of messages) {
      expect(verifySignature(key, Buffer.from(canonicalize(payload)), Buffer.from(signature, 'base64url'))).toBe(true);
    }
  });

  it('sends consecutive records as one signed batch in COSE', () => {
    const { contentType, body } = signed('cose-batch', records, 'ES256', NOW);
    expect(contentType).toBe('application/cose-seq');
    const messages = cborSequence(body, LIMITS, 10).map((item) => parseCoseSign1(item, 10_000));
    expect(messages.map(({ payload }) => decodeCbor(payload, LIMITS))).toEqual(expected);
    const externalAad = 'outrider/telemetry-batch/v1';
    expect(messages.every((message) => verifyCoseSign1(message, key, { externalAad }).ok)).toBe(true);
  });

  it('begins another batch where the numbers, the epoch or the times do not go on', () => {
    const seqs = (...input: CarriedRecord[]) => batchesOf(input).map((run) => run.map(({ seq }) => seq));
    expect(seqs(record(1), record(2), record(4))).toEqual([[1, 2], [4]]);
    expect(seqs(record(1), record(2, 5, 1))).toEqual([[1], [2]]);
    expect(seqs(record(1, 100), record(2, 100), record(3, 99))).toEqual([[1, 2], [3]]);
    expect(seqs(...Array.from({ length: 1001 }, (_, index) => record(index + 1))).map(({ length }) => length)).toEqual([
      1000, 1,
    ]);
  });
});
