import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import { canonicalize } from '@outrider/canonicalization';
import { sha256, sha256Hex, sign, verificationKeyOf } from '@outrider/crypto';
import { Thumbprint } from '@outrider/ids';
import { checkMessage } from './check-message.js';
import { batchPayload, COSE, coseMessage, jsonMessage, type Payload } from './formats.fixture.js';
import { readBody } from './read-body.js';
import type { Checked, VerifiedRecord } from './verified-record.js';

const NOW_MS = 1_800_000_000_000;
const NOW = NOW_MS / 1000;
const CONTEXT = { nowMs: NOW_MS, skewSeconds: 120, tokenId: 'token-1' };
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const signer = { thumbprint: Thumbprint.parse('A'.repeat(43)), key: verificationKeyOf(key) };
const batch = (count = 3, more: Payload = {}) => batchPayload('device-1', 10, NOW, count, more);

function checked(body: Uint8Array | string, type = 'application/json'): readonly Checked[] {
  const [message] = readBody(Buffer.from(body), type).messages;
  if (!message || 'unreadable' in message) throw message?.unreadable ?? new Error('no message');
  return checkMessage(message, signer, CONTEXT);
}

const json = (value: Payload) => checked(JSON.stringify(jsonMessage(key, value)));
const said = (records: readonly Checked[]) =>
  records.map((one) => `${one.seq} ${'refused' in one ? one.refused.code.replace('telemetry.', '') : 'verified'}`);
const all = (code: string, count = 3) => Array.from({ length: count }, (_, index) => `${10 + index} ${code}`);

/** Signs `text`, sends `text`: a batch in the spelling of an encoder that is not ours. */
const spelled = (text: string) =>
  checked(`{"payload":${text},"signature":"${sign(key, Buffer.from(text)).toString('hex')}"}`);

describe('a signed batch', () => {
  it.each([
    ['JSON', json(batch(3, { stream: 'can', epoch: 2 }))],
    ['COSE', checked(coseMessage(key, batch(3, { stream: 'can', epoch: 2 })), COSE)],
  ])(
    'in %s gives its records consecutive numbers, and each the digest of the message it stands for',
    (_name, records) => {
      expect(said(records)).toEqual(all('verified'));
      for (const [index, one] of (records as VerifiedRecord[]).entries()) {
        const alone = {
          device_id: 'device-1',
          stream: 'can',
          epoch: 2,
          seq: 10 + index,
          ts: NOW + index,
          telemetry: { speed: 40.5 + index },
        };
        expect(one).toMatchObject({ stream: 'can', epoch: 2, ts: NOW + index, batch: { index }, signature: null });
        expect(one.canonicalSha256).toBe(sha256Hex(canonicalize(alone)));
        expect(JSON.parse(one.text())).toEqual(alone);
      }
    },
  );

  it('is kept whole, once for all its records', () => {
    const message = jsonMessage(key, batch());
    const records = checked(JSON.stringify(message)) as VerifiedRecord[];
    const { of } = records[0]!.batch!;
    expect(records.every((one) => one.batch!.of === of)).toBe(true);
    expect(of).toMatchObject({ format: 'json-batch', signature: message.signature });
    expect(Buffer.from(of.bytes).toString()).toBe(JSON.stringify(message.payload));
    expect(of.sha256).toEqual(sha256(of.bytes));
    const cose = coseMessage(key, batch());
    const whole = (checked(cose, COSE)[0] as VerifiedRecord).batch!.of;
    expect([whole.format, whole.signature, Buffer.from(whole.bytes)]).toEqual(['cose-batch', null, cose]);
  });

  it("verifies in Python's spelling, where it is not JCS", () => {
    const text = String.raw`{"device_id":"device-1","records":[{"telemetry":{"name":"\u00e9","speed":42.0},"ts":1800000000.0}],"seq":10,"ts":1800000000.0,"typ":"outrider/telemetry-batch/v1"}`;
    const [one] = spelled(text) as VerifiedRecord[];
    const alone = { device_id: 'device-1', seq: 10, ts: NOW, telemetry: { name: 'é', speed: 42 } };
    expect(one!.canonicalSha256).toBe(sha256Hex(canonicalize(alone)));
  });

  it('gives each record a verdict of its own where only its time is wrong, and tells its place', () => {
    const records = [NOW - 121, NOW - 120, NOW, NOW + 120, NOW + 121].map((ts) => ({ ts, telemetry: {} }));
    const judged = json(batch(0, { records }));
    expect(said(judged)).toEqual(['10 skewed', '11 verified', '12 verified', '13 verified', '14 skewed']);
    expect(judged[0]).toMatchObject({ of: { stream: 'main', epoch: 0, seq: 10 } });
  });

  test.each<[string, Payload, string]>([
    ['times that decrease', { records: [NOW, NOW + 2, NOW + 1].map((ts) => ({ ts, telemetry: {} })) }, 'invalid'],
    ['a time of its own that is long ago', { ts: NOW - 121 }, 'skewed'],
    ['a record with a member more', { records: [0, 1, 2].map(() => ({ ts: NOW, telemetry: {}, seq: 1 })) }, 'invalid'],
    ['records that are no objects', { records: [1, 2, 3] }, 'invalid'],
    ['telemetry that is a list', { records: [0, 1, 2].map(() => ({ ts: NOW, telemetry: [] })) }, 'invalid'],
    ['a member more', { telemetry: {} }, 'invalid'],
    ['a bad stream', { stream: 'Main' }, 'invalid'],
    ['a bad epoch', { epoch: -1 }, 'invalid'],
  ])('with %s: every record %s', (_name, more, code) => {
    expect(said(json(batch(3, more)))).toEqual(all(code));
    expect(said(checked(coseMessage(key, batch(3, more)), COSE))).toEqual(all(code));
  });

  it('whose last number would be beyond 2^53-1 is refused, and names no number that is none', () => {
    const last = Number.MAX_SAFE_INTEGER;
    expect(said(json(batch(2, { seq: last - 1 })))).toEqual([`${last - 1} verified`, `${last} verified`]);
    expect(said(json(batch(2, { seq: last })))).toEqual([`${last} invalid`, 'null invalid']);
  });

  it.each([
    ['no records', { records: [] }],
    ['records that are no list', { records: {} }],
    ['no list of records', { records: undefined }],
  ])('with %s is refused once', (_name, more) => {
    const { records, ...rest } = batch(1, more);
    expect(said(json(records === undefined ? rest : { ...rest, records }))).toEqual(['10 invalid']);
  });

  it('is refused whole when its signature is of anything else', () => {
    const message = jsonMessage(key, batch());
    const changed = { ...message, payload: batch(3, { seq: 11 }) };
    expect(said(checked(JSON.stringify(changed)))).toEqual([
      '11 bad_signature',
      '12 bad_signature',
      '13 bad_signature',
    ]);
    const unfit = { ...message, payload: batch(3, { extra: 1 }) };
    expect(said(checked(JSON.stringify(unfit)))).toEqual(all('bad_signature'));
  });

  it('is never taken for a message, nor a message for a batch', () => {
    const { typ: _, ...untyped } = batch();
    expect(said(json(untyped))).toEqual(['10 invalid']);
    expect(
      said(json({ device_id: 'device-1', seq: 10, ts: NOW, telemetry: {}, typ: 'outrider/telemetry-batch/v1' })),
    ).toEqual(['10 invalid']);
    expect(said(json(batch(3, { typ: 'outrider/log-segment/v1' })))).toEqual(['10 invalid']);
  });
});
