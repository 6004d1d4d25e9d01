import { generateKeyPairSync, sign as nodeSign } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import { canonicalize } from '@outrider/canonicalization';
import { sha256Hex, sign, verificationKeyOf } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { DeviceId, Thumbprint } from '@outrider/ids';
import fc from 'fast-check';
import { checkMessage as checkAll, checkBinding } from './check-message.js';
import type { Envelope } from './envelope.js';
import { readBody } from './read-body.js';
import type { VerifiedRecord } from './verified-record.js';

const NOW_MS = 1_800_000_000_000;
const RULE = { nowMs: NOW_MS, skewSeconds: 120, tokenId: 'token-1' };
const thumbprint = Thumbprint.parse('A'.repeat(43));
const ed25519 = generateKeyPairSync('ed25519').privateKey;
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const signer = (key = ed25519) => ({ thumbprint, key: verificationKeyOf(key) });
const payload = (more: object = {}) => ({
  device_id: 'device-1',
  seq: 7,
  ts: NOW_MS / 1000,
  telemetry: { speed: 42.3 },
  ...more,
});

function envelope(body: string): Envelope {
  const [message] = readBody(Buffer.from(body), 'application/json').messages;
  if (!message || 'unreadable' in message) throw new Error('no envelope');
  return message;
}

/** Signs `signedText`, sends `sentText`. */
function sealed(sentText: string, signedText = sentText, key = ed25519): Envelope {
  const signature = Buffer.from(sign(key, Buffer.from(signedText))).toString('hex');
  return envelope(`{"payload":${sentText},"signature":"${signature}"}`);
}

/** Of a single message: its record, or its refusal thrown. */
function checkMessage(...input: Parameters<typeof checkAll>): VerifiedRecord {
  const [checked] = checkAll(...input);
  if (!checked || 'refused' in checked) throw checked?.refused ?? new Error('nothing');
  return checked;
}

const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'ok';
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
};

describe('checkMessage', () => {
  it('takes a payload in any spelling that is signed over its JCS, and keeps the bytes as sent', () => {
    const sent = JSON.stringify(payload({ telemetry: { b: 1, a: 'é' } }), null, 2);
    const record = checkMessage(sealed(sent, canonicalize(JSON.parse(sent))), signer(), RULE);
    expect(record).toMatchObject({ deviceId: 'device-1', stream: 'main', epoch: 0, seq: 7, thumbprint });
    expect(Buffer.from(record.payload).toString()).toBe(sent);
    expect(record.canonicalSha256).toBe(sha256Hex(canonicalize(JSON.parse(sent))));
  });

  it("takes Python's spelling where it differs from JCS, under the same digest", () => {
    const python = String.raw`{"device_id":"device-1","seq":7,"telemetry":{"name":"\u00e9","speed":42.0},"ts":1800000000.0}`;
    const spoken = canonicalize(JSON.parse(python));
    expect(python).not.toBe(spoken);
    expect(checkMessage(sealed(python), signer(), RULE).canonicalSha256).toBe(
      checkMessage(sealed(spoken), signer(), RULE).canonicalSha256,
    );
  });

  it('gives one digest to a record whether it spells the defaults out or not, and another to another record', () => {
    const digest = (more: object) => checkMessage(sealed(canonicalize(payload(more))), signer(), RULE).canonicalSha256;
    expect(digest({ stream: 'main', epoch: 0 })).toBe(digest({}));
    expect(digest({ epoch: 0 })).toBe(digest({}));
    expect(digest({ stream: 'main', epoch: 3 })).toBe(digest({ epoch: 3 }));
    expect(
      new Set([
        digest({}),
        digest({ stream: 'can' }),
        digest({ epoch: 1 }),
        digest({ seq: 8 }),
        digest({ telemetry: {} }),
      ]).size,
    ).toBe(5);
  });

  it('takes ECDSA as r || s and as DER', () => {
    const text = canonicalize(payload());
    expect(codeOf(() => checkMessage(sealed(text, text, p256), signer(p256), RULE))).toBe('ok');
    const der = nodeSign('sha256', Buffer.from(text), p256).toString('base64url');
    expect(codeOf(() => checkMessage(envelope(`{"payload":${text},"signature":"${der}"}`), signer(p256), RULE))).toBe(
      'ok',
    );
  });

  test.each([
    [
      'another key',
      () => checkMessage(sealed(canonicalize(payload())), signer(generateKeyPairSync('ed25519').privateKey), RULE),
      'telemetry.bad_signature',
    ],
    [
      'a key of another type',
      () => checkMessage(sealed(canonicalize(payload())), signer(p256), RULE),
      'telemetry.bad_signature',
    ],
    [
      'an empty signature',
      () => checkMessage(envelope(`{"payload":${canonicalize(payload())},"signature":""}`), signer(), RULE),
      'telemetry.bad_signature',
    ],
    [
      'bad signature before bad shape',
      () => checkMessage(sealed('{"seq":"7"}', '{}'), signer(), RULE),
      'telemetry.bad_signature',
    ],
    [
      'bad shape before skew',
      () => checkMessage(sealed(canonicalize(payload({ ts: 0, seq: '7' }))), signer(), RULE),
      'telemetry.invalid',
    ],
    [
      'an unknown member',
      () => checkMessage(sealed(canonicalize(payload({ typ: 'outrider/telemetry-batch/v1' }))), signer(), RULE),
      'telemetry.invalid',
    ],
    [
      'records',
      () => checkMessage(sealed(canonicalize(payload({ records: [] }))), signer(), RULE),
      'telemetry.invalid',
    ],
    [
      'telemetry that is an array',
      () => checkMessage(sealed(canonicalize(payload({ telemetry: [] }))), signer(), RULE),
      'telemetry.invalid',
    ],
    [
      'a negative ts',
      () => checkMessage(sealed(canonicalize(payload({ ts: -1 }))), signer(), RULE),
      'telemetry.invalid',
    ],
    [
      'ts in milliseconds',
      () => checkMessage(sealed(canonicalize(payload({ ts: NOW_MS }))), signer(), RULE),
      'telemetry.invalid',
    ],
    [
      '120.001 s late',
      () => checkMessage(sealed(canonicalize(payload({ ts: NOW_MS / 1000 - 120.001 }))), signer(), RULE),
      'telemetry.skewed',
    ],
    [
      '120.001 s early',
      () => checkMessage(sealed(canonicalize(payload({ ts: NOW_MS / 1000 + 120.001 }))), signer(), RULE),
      'telemetry.skewed',
    ],
    [
      '120 s late',
      () => checkMessage(sealed(canonicalize(payload({ ts: NOW_MS / 1000 - 120 }))), signer(), RULE),
      'ok',
    ],
    [
      "another's device",
      () => checkBinding(sealed(canonicalize(payload())), DeviceId.parse('device-2')),
      'telemetry.wrong_device',
    ],
    ['no device', () => checkBinding(sealed('{"seq":1}'), DeviceId.parse('device-2')), 'telemetry.wrong_device'],
  ])('%s: the code', (_name, work, code) => {
    expect(codeOf(work)).toBe(code);
  });

  it('refuses every single-byte change of the payload', () => {
    const text = canonicalize(payload());
    const signature = Buffer.from(sign(ed25519, Buffer.from(text))).toString('hex');
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 0x20, max: 0x7e }), (at, byte) => {
        const changed = text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1);
        fc.pre(changed !== text);
        const code = codeOf(() =>
          checkMessage(envelope(`{"payload":${changed},"signature":"${signature}"}`), signer(), RULE),
        );
        expect(['telemetry.bad_signature', 'request.malformed']).toContain(code);
      }),
    );
  });
});

describe('readBody', () => {
  it('never throws anything but a coded refusal, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom('application/json', 'application/x-ndjson', 'text/html'),
        (bytes, type) => {
          expect(codeOf(() => readBody(bytes, type))).toMatch(/^(ok|request\.)/);
        },
      ),
    );
  });

  it('reads any JSON as messages or says that it is none', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(codeOf(() => readBody(Buffer.from(text), 'application/json'))).toMatch(
          /^(ok|request\.(malformed|invalid))$/,
        );
      }),
    );
  });
});
