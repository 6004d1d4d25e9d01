import { createHash } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import { canonicalize, encodeCbor } from '@outrider/canonicalization';
import {
  COSE_EXTERNAL_AAD,
  type CoseExternalAad,
  JWS_TYP,
  type JwsTyp,
  signCoseSign1,
  signJws,
  verificationKey,
} from '@outrider/crypto';
import { DeviceId } from '@outrider/ids';
import { createTestFleet, issueVehicle, type KeyType } from '@outrider/testing';
import { type EvidenceRecord, payloadOf, verifyRecord } from './index.js';

const device = DeviceId.parse('device-1');
const message = { device_id: device, seq: 7, ts: 1_763_800_000.5, telemetry: { speed: 42.5, name: 'ä' } };
const fleet = await createTestFleet();

function stored(format: EvidenceRecord['format'], payload: Uint8Array, more: Partial<EvidenceRecord> = {}) {
  const canonicalSha256 = createHash('sha256').update(canonicalize(message)).digest('hex');
  const row = { deviceId: device, stream: 'main', epoch: 0, seq: 7, ts: message.ts, thumbprint: 't', canonicalSha256 };
  return { ...row, format, payload, signature: null, ...more };
}

describe.each<KeyType>(['Ed25519', 'P-256', 'P-384'])('signed by %s', (keyType) => {
  const party = issueVehicle(fleet, device, { keyType });
  const jws = async (typ: JwsTyp = JWS_TYP.telemetry) =>
    signJws({ header: { typ }, payload: JSON.stringify(message), key: (await party).privateKey });
  const cose = async (value: object, externalAad: CoseExternalAad) =>
    signCoseSign1({ payload: encodeCbor(value), key: (await party).privateKey, externalAad });
  const judge = async (record: EvidenceRecord) =>
    verifyRecord(record, verificationKey((await party).certificate.spkiDer));

  it('a JWS stands, compact and flattened, and only as telemetry', async () => {
    const compact = await jws();
    const [header, payload, signature] = compact.split('.');
    const flattened = JSON.stringify({ payload, protected: header, signature, header: { kid: 'x' } });
    for (const text of [compact, flattened]) {
      const record = stored('jws', Buffer.from(text));
      expect(await judge(record)).toEqual({ ok: true });
      expect(payloadOf(record)).toEqual(message);
    }
    const outcome = stored('jws', Buffer.from(await jws(JWS_TYP.outcome)));
    expect(await judge(outcome)).toEqual({ ok: false, fault: 'bad_signature' });
    const changed = [header, Buffer.from(JSON.stringify({ ...message, seq: 8 })).toString('base64url'), signature].join(
      '.',
    );
    expect(await judge(stored('jws', Buffer.from(changed)))).toEqual({ ok: false, fault: 'bad_signature' });
  });

  it('a COSE_Sign1 stands, and only in its own context', async () => {
    const record = stored('cose', await cose(message, COSE_EXTERNAL_AAD.telemetry));
    expect(await judge(record)).toEqual({ ok: true });
    expect(payloadOf(record)).toEqual(message);
    const other = stored('cose', await cose(message, COSE_EXTERNAL_AAD.telemetryBatch));
    expect(await judge(other)).toEqual({ ok: false, fault: 'bad_signature' });
    expect(await judge({ ...record, seq: 8 })).toEqual({ ok: false, fault: 'row_mismatch' });
  });

  it('a record of a COSE batch stands by the whole', async () => {
    const { ts, telemetry } = message;
    const records = [
      { ts: ts - 1, telemetry: {} },
      { ts, telemetry },
    ];
    const head = { typ: 'outrider/telemetry-batch/v1', device_id: device, stream: 'main', epoch: 0 };
    const bytes = await cose({ ...head, seq: 6, ts, records }, COSE_EXTERNAL_AAD.telemetryBatch);
    const own = encodeCbor(records[1]);
    const record = stored('cose-batch', own, { batch: { of: { bytes, signature: null }, index: 1 } });
    expect(await judge(record)).toEqual({ ok: true });
    expect(payloadOf(record)).toEqual({ ts, telemetry });
    expect(await judge({ ...record, batch: { ...record.batch!, index: 0 } })).toMatchObject({ fault: 'row_mismatch' });
  });
});

test.each<EvidenceRecord['format']>(['jws', 'cose', 'json'])('bytes that are no %s are unreadable', async (format) => {
  const key = verificationKey((await issueVehicle(fleet, device)).certificate.spkiDer);
  for (const bytes of ['', '{}', 'a.b.c', '\x84', '{"payload":1}']) {
    const verdict = verifyRecord(stored(format, Buffer.from(bytes, 'latin1'), { signature: '00'.repeat(64) }), key);
    expect(verdict).toMatchObject({ ok: false });
  }
});
