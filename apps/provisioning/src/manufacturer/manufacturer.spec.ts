import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { DeviceId } from '@outrider/ids';
import {
  createTestFleet,
  issue,
  issueFactoryDevice,
  issueVehicle,
  type Party,
  type TestFleet,
} from '@outrider/testing';
import { OID, type ParsedCertificate, parseCertificates } from '@outrider/x509';
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

/** As `openssl x509 -req` makes it: these extensions and no other; X.509 version 1 without any. */
function signedByOpenssl(ca: Party, extensions = ''): ParsedCertificate {
  const folder = mkdtempSync(join(tmpdir(), 'outrider-factory-'));
  const openssl = (line: string) => execFileSync('openssl', line.split(' '), { cwd: folder, stdio: 'pipe' });
  try {
    writeFileSync(join(folder, 'ca.crt'), ca.certificatePem);
    writeFileSync(join(folder, 'ca.key'), ca.privateKeyPem);
    writeFileSync(join(folder, 'extensions'), `${extensions}\n`);
    openssl('ecparam -name prime256v1 -genkey -noout -out key.pem');
    openssl('req -new -key key.pem -subj /serialNumber=1/CN=device-1 -out request.pem');
    const plain = 'x509 -req -in request.pem -CA ca.crt -CAkey ca.key -set_serial 77 -days 2 -out device.crt';
    openssl(extensions === '' ? plain : `${plain} -extfile extensions`);
    return parseCertificates(readFileSync(join(folder, 'device.crt'), 'utf8'))[0] as ParsedCertificate;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

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
      expect(refusal(() => vouchingManufacturers(certificate, [], registered(), now))).toBe('est.manufacturer_unknown');
    }
  });

  it('may be one that a plain openssl signed, which names no issuing key', () => {
    const device = signedByOpenssl(fleet.factoryCa, 'keyUsage = critical, digitalSignature');
    expect(vouchingManufacturers(device, [], registered(), device.notBefore)).toEqual([DEMO]);
  });

  it('is told what its chain lacks', () => {
    const [authority, first] = [
      signedByOpenssl(fleet.factoryCa, 'keyUsage = critical, keyCertSign'),
      signedByOpenssl(fleet.factoryCa),
    ];
    expect(() => vouchingManufacturers(authority, [], registered(), now)).toThrow(/may sign certificates/);
    expect(() => vouchingManufacturers(first, [], registered(), now)).toThrow(/not version 3/);
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
    expect(refusal(() => vouchingManufacturers(device.certificate, presented, registered(), now))).toBe(
      'est.manufacturer_unknown',
    );
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
    expect(refusal(() => vouchingManufacturers(device.certificate, [], third, now))).toBe('est.manufacturer_unknown');
  });
});
