import { beforeAll, describe, expect, it } from '@jest/globals';
import { DeviceId } from '@outrider/ids';
import { createTestFleet, issue, issueFactoryDevice, issueVehicle, type TestFleet } from '@outrider/testing';
import { OID } from '@outrider/x509';
import { acceptAnchors, type Manufacturer, ManufacturerName, vouchingManufacturers } from './manufacturer.js';

const DEMO = ManufacturerName.parse('demo-motors');
const OTHER = ManufacturerName.parse('other-motors');
let fleet: TestFleet;
let other: TestFleet;
let fleetCas: TestFleet['root']['certificate'][];

beforeAll(async () => {
  [fleet, other] = await Promise.all([createTestFleet(), createTestFleet()]);
  fleetCas = [fleet.root, fleet.vehicleCa, fleet.infrastructureCa, fleet.controlCa].map(
    ({ certificate }) => certificate,
  );
});

const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'none';
};

describe('a CA that is to vouch for factory certificates', () => {
  it('is a CA certificate, or several', () => {
    const pem = fleet.factoryCa.certificatePem + other.factoryCa.certificatePem;
    expect(acceptAnchors(DEMO, pem, fleetCas, [])).toHaveLength(2);
  });

  it('is no leaf, no text, and none of the fleet', async () => {
    const leaf = await issueFactoryDevice(fleet, 'device-1');
    expect(refusal(() => acceptAnchors(DEMO, leaf.certificatePem, fleetCas, []))).toBe(
      'provisioning.manufacturer_invalid',
    );
    expect(refusal(() => acceptAnchors(DEMO, 'no PEM', fleetCas, []))).toBe('provisioning.manufacturer_invalid');
    for (const ca of [fleet.root, fleet.vehicleCa, fleet.infrastructureCa]) {
      expect(refusal(() => acceptAnchors(DEMO, ca.certificatePem, fleetCas, []))).toBe(
        'provisioning.manufacturer_invalid',
      );
    }
  });

  it('vouches for one manufacturer, which may give it again', () => {
    const registered: Manufacturer[] = [{ name: DEMO, anchors: [fleet.factoryCa.certificate] }];
    const pem = fleet.factoryCa.certificatePem;
    expect(refusal(() => acceptAnchors(OTHER, pem, fleetCas, registered))).toBe('provisioning.manufacturer_conflict');
    expect(refusal(() => acceptAnchors(DEMO, pem, fleetCas, registered))).toBe('none');
  });
});

describe('whose factory certificate it is', () => {
  const now = new Date();
  const registered = (): Manufacturer[] => [
    { name: DEMO, anchors: [fleet.factoryCa.certificate] },
    { name: OTHER, anchors: [other.factoryCa.certificate] },
  ];

  it('is of the manufacturer whose CA signed it, and of no other with the same names', async () => {
    const device = await issueFactoryDevice(other, 'device-1');
    expect(vouchingManufacturers(device.certificate, [], registered(), now)).toEqual([OTHER]);
  });

  it('is of nobody when nobody registered signed it, it signed itself, or the fleet did', async () => {
    const stranger = await issueFactoryDevice(await createTestFleet(), 'device-1');
    const vehicle = await issueVehicle(fleet, DeviceId.parse('device-1'));
    for (const { certificate } of [stranger, vehicle, fleet.factoryCa]) {
      expect(vouchingManufacturers(certificate, [], registered(), now)).toEqual([]);
    }
  });

  it('says of an expired one that it expired', async () => {
    const notAfter = new Date(now.getTime() - 60_000);
    const device = await issueFactoryDevice(fleet, 'device-1', {
      notBefore: new Date(now.getTime() - 120_000),
      notAfter,
    });
    expect(refusal(() => vouchingManufacturers(device.certificate, [], registered(), now))).toBe(
      'tls.certificate_expired',
    );
  });

  it('is looked for among those alone whom what was presented names: a stranger must not cost a path for each', async () => {
    const root = await issue('root', 'self', { name: 'Third Motors Root' });
    const plant = await issue('issuing-ca', root, { name: 'Third Motors Plant' });
    const device = await issue('factory-device', plant, {
      name: 'device-1',
      subject: [
        { type: OID.commonName, value: 'device-1' },
        { type: OID.serialNumber, value: '1' },
      ],
    });
    let checks = 0;
    const spkiDer = {
      get() {
        checks += 1;
        return plant.certificate.spkiDer;
      },
    };
    const presented = [Object.defineProperty({ ...plant.certificate }, 'spkiDer', spkiDer)];
    expect(vouchingManufacturers(device.certificate, presented, registered(), now)).toEqual([]);
    expect(checks).toBe(0);
    const third = { name: ManufacturerName.parse('third-motors'), anchors: [root.certificate] };
    expect(vouchingManufacturers(device.certificate, presented, [...registered(), third], now)).toEqual([third.name]);
    expect(checks).toBeGreaterThan(0);
  });

  it('is found through the intermediates presented', async () => {
    const root = await issue('root', 'self', { name: 'Third Motors Root' });
    const plant = await issue('issuing-ca', root, { name: 'Third Motors Plant' });
    const subject = [
      { type: OID.commonName, value: 'device-1' },
      { type: OID.serialNumber, value: '1' },
    ];
    const device = await issue('factory-device', plant, { name: 'device-1', subject });
    const third: Manufacturer[] = [{ name: OTHER, anchors: [root.certificate] }];
    expect(vouchingManufacturers(device.certificate, [plant.certificate], third, now)).toEqual([OTHER]);
    expect(vouchingManufacturers(device.certificate, [], third, now)).toEqual([]);
  });
});
