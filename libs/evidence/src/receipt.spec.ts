import { beforeAll, expect, it } from '@jest/globals';
import { JWS_TYP, type JwsTyp, signJws } from '@outrider/crypto';
import { DeviceId } from '@outrider/ids';
import { createTestFleet, issueService, issueVehicle, type Party, type TestFleet } from '@outrider/testing';
import { type Receipt, verifyReceipt } from './index.js';

let fleet: TestFleet;
let telemetry: Party;

beforeAll(async () => {
  fleet = await createTestFleet();
  telemetry = await issueService(fleet, 'telemetry');
});

const sha256 = 'ab'.repeat(32);
function receipt(more: Partial<Receipt> = {}): Receipt {
  const issued_at = new Date().toISOString();
  const results = [{ seq: 7, stream: 'main', epoch: 0, sha256, verdict: 'accepted' }];
  return {
    ...{ v: 1, device_id: 'device-1', issued_at, committed_at: issued_at },
    ...{ body_sha256: sha256, thumbprint: 't', results },
    ...more,
  };
}

function signed(payload: object, party = telemetry, typ: JwsTyp = JWS_TYP.receipt): string {
  const x5c = [party, fleet.infrastructureCa].map(({ certificate }) => Buffer.from(certificate.der).toString('base64'));
  return signJws({ header: { typ, x5c }, payload: JSON.stringify(payload), key: party.privateKey });
}

it('stands by the root alone, offline', () => {
  const verdict = verifyReceipt(`${signed(receipt())}\n`, [fleet.root.certificate]);
  expect(verdict).toMatchObject({ ok: true, receipt: { device_id: 'device-1', results: [{ sha256 }] } });
});

it('does not stand when it is of another signer, context, fleet or time, or not one at all', async () => {
  const anchors = [fleet.root.certificate];
  const command = await issueService(fleet, 'command');
  const vehicle = await issueVehicle(fleet, DeviceId.parse('device-1'));
  const old = receipt({ issued_at: new Date(Date.now() - 48 * 3_600_000).toISOString() });
  const [header, , signature] = signed(receipt()).split('.');
  const forged = Buffer.from(JSON.stringify(receipt({ device_id: 'device-2' }))).toString('base64url');
  const others = (await createTestFleet()).root.certificate;
  for (const [compact, trust] of [
    [signed(receipt(), command), anchors],
    [signed(receipt(), vehicle), anchors],
    [signed(receipt(), telemetry, JWS_TYP.export), anchors],
    [signed(receipt()), [others]],
    [signed(receipt()), []],
    [signed(old), anchors],
    [signed({ ...receipt(), more: 1 }), anchors],
    [`${header}.${forged}.${signature}`, anchors],
    ['a.b', anchors],
    ['', anchors],
  ] as const) {
    expect(verifyReceipt(compact, trust)).toEqual({ ok: false, reason: expect.stringMatching(/./) });
  }
});
