import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it, test } from '@jest/globals';
import { canonicalize } from '@outrider/canonicalization';
import { sign, type VerificationKey, verificationKey } from '@outrider/crypto';
import { DeviceId } from '@outrider/ids';
import { createTestFleet, issueVehicle, type Party, type TestFleet } from '@outrider/testing';
import { type EvidenceRecord, signingKey, verifyRecord } from './index.js';

const device = DeviceId.parse('device-1');
const message = { device_id: device, seq: 7, ts: 1_763_800_000, telemetry: { speed: 42.5 } };
let fleet: TestFleet;
let party: Party;
let key: VerificationKey;

beforeAll(async () => {
  fleet = await createTestFleet();
  party = await issueVehicle(fleet, device);
  key = verificationKey(party.certificate.spkiDer);
});

function digest(value: object): string {
  return createHash('sha256').update(canonicalize(value)).digest('hex');
}

function signatureOf(text: string): string {
  return sign(party.privateKey, Buffer.from(text)).toString('hex');
}

function stored(text: string, more: Partial<EvidenceRecord> = {}): EvidenceRecord {
  return {
    deviceId: device,
    stream: 'main',
    epoch: 0,
    seq: 7,
    ts: message.ts,
    format: 'json',
    thumbprint: party.certificate.thumbprint,
    canonicalSha256: digest(message),
    payload: Buffer.from(text),
    signature: signatureOf(canonicalize(JSON.parse(text))),
    ...more,
  };
}

describe('a stored JSON message', () => {
  it('stands as it was received, in any spelling and with its defaults said', () => {
    expect(verifyRecord(stored(canonicalize(message)), key)).toEqual({ ok: true });
    expect(verifyRecord(stored(JSON.stringify({ ...message, stream: 'main', epoch: 0 }, undefined, 2)), key)).toEqual({
      ok: true,
    });
  });

  it('stands in the token-preserving form', () => {
    const text = '{"device_id":"device-1","seq":7,"telemetry":{"speed":42.50},"ts":1763800000.0}';
    expect(verifyRecord(stored(text, { signature: signatureOf(text) }), key)).toEqual({ ok: true });
  });

  it('stands with a member named __proto__, which was signed like any other', () => {
    const odd = { ...message, telemetry: JSON.parse('{"__proto__":{"a":1},"b":2}') };
    expect(verifyRecord(stored(canonicalize(odd), { canonicalSha256: digest(odd) }), key)).toEqual({ ok: true });
  });

  test.each<[string, Partial<EvidenceRecord>, string]>([
    ['its payload', { payload: Buffer.from(canonicalize({ ...message, seq: 8 })) }, 'bad_signature'],
    ['its signature', { signature: '00'.repeat(64) }, 'bad_signature'],
    ['its signature to nothing', { signature: null }, 'bad_signature'],
    ['its number', { seq: 8 }, 'row_mismatch'],
    ['its device', { deviceId: 'device-2' }, 'row_mismatch'],
    ['its stream', { stream: 'can' }, 'row_mismatch'],
    ['its epoch', { epoch: 1 }, 'row_mismatch'],
    ['its time', { ts: message.ts + 1 }, 'row_mismatch'],
    ['its digest', { canonicalSha256: '0'.repeat(64) }, 'digest_mismatch'],
    ['its bytes to none', { payload: Buffer.from('{') }, 'unreadable'],
    ['its format', { format: 'json-batch' }, 'batch_missing'],
  ])('does not stand with %s changed', (_what, change, fault) => {
    expect(verifyRecord(stored(canonicalize(message), change), key)).toEqual({ ok: false, fault });
  });
});

describe('a record of a signed batch', () => {
  const records = [1, 2, 3].map((speed) => ({ ts: message.ts + speed, telemetry: { speed } }));
  const typ = 'outrider/telemetry-batch/v1';
  const batch = { typ, device_id: device, stream: 'can', epoch: 2, seq: 7, ts: message.ts, records };
  const at = (index: number, change: Partial<EvidenceRecord> = {}): EvidenceRecord => {
    const single = { device_id: device, stream: 'can', epoch: 2, seq: 7 + index, ...records[index] };
    const text = canonicalize(batch);
    return stored(canonicalize(records[index] ?? {}), {
      ...{ stream: 'can', epoch: 2, seq: 7 + index, ts: message.ts + index + 1, format: 'json-batch' as const },
      canonicalSha256: digest(single),
      signature: null,
      batch: { of: { bytes: Buffer.from(text), signature: signatureOf(text) }, index },
      ...change,
    });
  };

  it('stands by the signature over the whole', () => {
    for (const index of [0, 1, 2]) expect(verifyRecord(at(index), key)).toEqual({ ok: true });
  });

  it('does not stand in another place, nor beyond the end, nor when its neighbour was changed', () => {
    expect(verifyRecord(at(1, { batch: { ...at(1).batch!, index: 2 } }), key)).toMatchObject({ fault: 'row_mismatch' });
    expect(verifyRecord(at(1, { batch: { ...at(1).batch!, index: 3 } }), key)).toMatchObject({ fault: 'unreadable' });
    const forged = canonicalize({ ...batch, records: [records[0], records[1], { ...records[2], telemetry: {} }] });
    const of = { bytes: Buffer.from(forged), signature: at(1).batch!.of.signature };
    expect(verifyRecord(at(1, { batch: { of, index: 1 } }), key)).toMatchObject({ fault: 'bad_signature' });
  });
});

describe('the key of a signer', () => {
  const trust = () => ({ intermediates: [fleet.vehicleCa.certificate], anchors: [fleet.root.certificate] });
  const hours = (count: number) => new Date(Date.now() + count * 3_600_000);

  it('is taken from a certificate of this device, valid at that time, up to the root', () => {
    expect(signingKey(party.certificate, device, new Date(), trust())?.keyThumbprint).toBe(key.keyThumbprint);
    expect(signingKey(party.certificate, 'device-2', new Date(), trust())).toBeUndefined();
    expect(signingKey(party.certificate, device, hours(30), trust())).toBeUndefined();
    expect(signingKey(party.certificate, device, hours(-30), trust())).toBeUndefined();
    expect(signingKey(party.certificate, device, new Date(), { ...trust(), intermediates: [] })).toBeUndefined();
    const others = { intermediates: [], anchors: [fleet.infrastructureCa.certificate] };
    expect(signingKey(party.certificate, device, new Date(), others)).toBeUndefined();
  });
});
