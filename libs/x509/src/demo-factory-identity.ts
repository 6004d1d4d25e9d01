/** The demo manufacturer's factory identity (IDevID, IEEE 802.1AR) for one device: what the CLI, the simulator and the benchmarks give their vehicles. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { signDer } from '@outrider/crypto';
import { type DeviceId, SerialNumber } from '@outrider/ids';
import { issueCertificate } from './issue-certificate.js';
import { OID } from './oids.js';
import { parseCertificate } from './parse-certificate.js';
import { toPem } from './pem.js';
import { PROFILES } from './profiles.js';

export const DEMO_MANUFACTURER = 'demo-motors';

/** PEM files as a factory would put them into the vehicle. `serialNumber`: the IDevID's, what the registry knows it by. */
export interface FactoryFiles {
  readonly certificate: string;
  readonly privateKey: string;
  readonly chain: string;
  readonly serialNumber: string;
}

/** The IDevID serialNumber attribute of a demo vehicle. */
export function factorySerialNumber(deviceId: DeviceId): string {
  return `DM-${deviceId.toUpperCase()}`;
}

/** `keys`: the vehicle's new pair. `random`: 16 bytes for the certificate's serial number. The certificate begins a minute before `now`, for clocks that differ. */
export async function makeFactoryIdentity(
  deviceId: DeviceId,
  authority: { readonly certificate: string; readonly privateKey: string },
  keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject },
  random: Uint8Array,
  now: Date,
): Promise<FactoryFiles> {
  const caKey = createPrivateKey(authority.privateKey);
  const ca = parseCertificate(authority.certificate);
  const notBefore = new Date(Math.max(now.getTime() - 60_000, ca.notBefore.getTime()));
  const wanted = notBefore.getTime() + PROFILES['factory-device'].lifetimeSeconds.default * 1000;
  const serialNumber = factorySerialNumber(deviceId);
  const certificate = await issueCertificate(
    {
      profile: 'factory-device',
      serialNumber: SerialNumber.parse(Buffer.from(random).toString('hex')),
      subject: [
        { type: OID.organizationName, value: 'Demo Motors' },
        { type: OID.serialNumber, value: serialNumber },
        { type: OID.commonName, value: deviceId },
      ],
      spkiDer: keys.publicKey.export({ type: 'spki', format: 'der' }),
      notBefore: wholeSecond(notBefore),
      notAfter: wholeSecond(new Date(Math.min(wanted, ca.notAfter.getTime()))),
    },
    ca,
    (tbs) => signDer(caKey, tbs),
  );
  return {
    certificate: toPem(certificate.der, 'CERTIFICATE'),
    privateKey: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    chain: authority.certificate,
    serialNumber,
  };
}

function wholeSecond(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}
