import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it, test } from '@jest/globals';
import { canonicalize } from '@outrider/canonicalization';
import { JWS_TYP, sign, signJws } from '@outrider/crypto';
import { DeviceId } from '@outrider/ids';
import { createTestFleet, issueService, issueVehicle, type Party, type TestFleet } from '@outrider/testing';
import { type ExportReport, ExportVerifier } from './index.js';

const device = DeviceId.parse('device-1');
const now = Date.now();
const range = {
  device_id: device,
  from: null,
  to: new Date(now + 1000).toISOString(),
  made_at: new Date(now).toISOString(),
};
let fleet: TestFleet;
let car: Party;
let telemetry: Party;

beforeAll(async () => {
  fleet = await createTestFleet();
  [car, telemetry] = await Promise.all([issueVehicle(fleet, device), issueService(fleet, 'telemetry')]);
});

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const base64 = ({ certificate }: Party) => Buffer.from(certificate.der).toString('base64');

function recordLine(seq: number, more: object = {}) {
  const payload = canonicalize({ device_id: device, seq, ts: now / 1000, telemetry: { seq } });
  const signature = sign(car.privateKey, Buffer.from(payload)).toString('hex');
  return {
    ...{ type: 'record', device_id: device, stream: 'main', epoch: 0, seq, ts: now / 1000, format: 'json' },
    ...{ received_at: new Date(now).toISOString(), algorithm: 'ES256', token_id: null },
    ...{ thumbprint: car.certificate.thumbprint, canonical_sha256: sha256(payload), payload, signature, batch: null },
    ...more,
  };
}

function linesOf(records: object[]): object[] {
  const { thumbprint } = car.certificate;
  return [
    { type: 'export', v: 1, ...range },
    { type: 'authority', certificate: base64(fleet.vehicleCa) },
    { type: 'authority', certificate: base64(fleet.infrastructureCa) },
    { type: 'certificate', thumbprint, certificate: base64(car), status: 'revoked' },
    ...records,
  ];
}

function signed(lines: object[], more: object = {}, signer = telemetry): string[] {
  const text = lines.map((line) => JSON.stringify(line));
  const records = lines.filter((line) => (line as { type: string }).type === 'record').length;
  const digest = sha256(text.map((line) => `${line}\n`).join(''));
  const manifest = { v: 1, ...range, records, certificates: [], sha256: digest, ...more };
  const header = { typ: JWS_TYP.export, x5c: [base64(signer)] };
  const jws = signJws({ header, payload: JSON.stringify(manifest), key: signer.privateKey });
  return [...text, JSON.stringify({ type: 'manifest', jws })];
}

function judge(lines: readonly string[], root = fleet.root): ExportReport {
  const verifier = new ExportVerifier([root.certificate]);
  for (const line of lines) verifier.line(Buffer.from(line));
  return verifier.finish();
}

it('an export stands by the root alone', () => {
  const report = judge(signed(linesOf([1, 2, 3].map((seq) => recordLine(seq)))));
  expect(report).toMatchObject({ ok: true, records: 3, verified: 3, faulty: 0, deviceId: device });
  expect(report.manifestFault).toBeUndefined();
});

describe('does not stand', () => {
  const whole = () => signed(linesOf([1, 2].map((seq) => recordLine(seq))));

  it('cut short, with a line gone, twice, moved or changed, or with something after it', () => {
    const lines = whole();
    const [head = '', ...rest] = lines;
    for (const changed of [
      lines.slice(0, -1),
      lines.filter((_, index) => index !== 4),
      [...lines.slice(0, 5), ...lines.slice(4)],
      [...lines.slice(0, 4), lines[5]!, lines[4]!, lines[6]!],
      lines.map((line) => line.replace('"status":"revoked"', '"status":"live"')),
      [head.replace('"from":null', '"from":"2026-01-01T00:00:00Z"'), ...rest],
      [...lines, lines[4]!],
      [...lines, lines.at(-1)!],
      rest,
      [],
      ['no json'],
    ]) {
      expect(judge(changed).ok).toBe(false);
    }
  });

  it('by another fleet, nor with a manifest by another service or a vehicle', async () => {
    expect(judge(whole(), (await createTestFleet()).root)).toMatchObject({ ok: false, verified: 0 });
    const command = await issueService(fleet, 'command');
    for (const signer of [command, car]) {
      expect(judge(signed(linesOf([recordLine(1)]), {}, signer))).toMatchObject({ ok: false, verified: 1 });
    }
    expect(judge(signed(linesOf([recordLine(1)]), { records: 2 })).ok).toBe(false);
    expect(judge(signed(linesOf([recordLine(1)]), { v: 2 })).ok).toBe(false);
    expect(judge(signed(linesOf([recordLine(1)]), { device_id: 'device-2' })).ok).toBe(false);
  });

  test.each([
    ['another device', { device_id: 'device-2' }, 'row_mismatch'],
    ['a time outside the range', { received_at: new Date(now + 2000).toISOString() }, 'row_mismatch'],
    ['another number', { seq: 9 }, 'row_mismatch'],
    ['another signature', { signature: 'ab'.repeat(64) }, 'bad_signature'],
    ['a signer that is not there', { thumbprint: 'x'.repeat(43) }, 'certificate_missing'],
    [
      'a time when its certificate was not valid',
      { received_at: new Date(now - 1e9).toISOString() },
      'certificate_invalid',
    ],
    ['a batch that is not there', { format: 'json-batch', batch: { sha256: sha256(''), index: 0 } }, 'batch_missing'],
  ])('though the platform signed it: a record of %s', (_what, more, fault) => {
    const report = judge(signed(linesOf([recordLine(1), recordLine(2, more)])));
    expect(report).toMatchObject({ ok: false, verified: 1, faulty: 1, faults: [{ line: 6, fault }] });
    expect(report.manifestFault).toBeUndefined();
  });
});
