import { beforeAll, describe, expect, it } from '@jest/globals';
import { signDer } from '@outrider/crypto';
import { commonName, type Fleet, NOW, newFleet, newKeyPair, newSerial, vehicleOverrides } from './fleet.fixture.js';
import { type CertificateDescription, issueCertificate } from './issue-certificate.js';
import type { LintRules } from './lint-certificate.js';

const throwaway = newKeyPair('P-256');
const keys = newKeyPair('P-256');
let fleet: Fleet;

beforeAll(async () => {
  fleet = await newFleet();
});

const description = (changes: Partial<CertificateDescription> = {}): CertificateDescription => ({
  profile: 'vehicle',
  serialNumber: newSerial(),
  spkiDer: keys.spkiDer,
  notBefore: NOW,
  notAfter: new Date(NOW.getTime() + 3_600_000),
  ...vehicleOverrides('device-12345'),
  subject: commonName('device-12345'),
  ...changes,
});

describe('issueCertificate with a throwaway key', () => {
  const rules = (): LintRules => ({
    issuer: fleet.vehicleCa.certificate,
    isKeyBlocked: () => false,
    isSerialTaken: () => false,
  });

  it('gives the throwaway key and the CA’s key the very same bytes, and the CA’s only what passed', async () => {
    const seen: Record<string, Buffer[]> = { throwaway: [], ca: [] };
    const linting = {
      rules: rules(),
      throwaway: {
        sign: (tbs: Uint8Array) => {
          seen['throwaway']?.push(Buffer.from(tbs));
          return signDer(throwaway.privateKey, tbs);
        },
      },
    };
    const sign = (tbs: Uint8Array) => {
      seen['ca']?.push(Buffer.from(tbs));
      return signDer(fleet.vehicleCa.privateKey, tbs);
    };
    const issuer = fleet.vehicleCa.certificate;
    const certificate = await issueCertificate(description(), issuer, sign, linting);
    expect(seen['throwaway']).toEqual(seen['ca']);
    expect(Buffer.from(certificate.tbsDer)).toEqual(seen['ca']?.[0]);
    await expect(
      issueCertificate(description({ notAfter: new Date(NOW.getTime() + 100 * 86_400_000) }), issuer, sign, linting),
    ).rejects.toMatchObject({ code: 'ca.lint_failed' });
    expect([seen['throwaway']?.length, seen['ca']?.length]).toEqual([2, 1]);
  });

  it.each<[string, (tbs: Uint8Array) => Uint8Array]>([
    ['by another key', (tbs) => signDer(throwaway.privateKey, tbs)],
    ['over other bytes', (tbs) => signDer(fleet.vehicleCa.privateKey, tbs.subarray(1))],
    ['that is none', () => new Uint8Array(70)],
  ])('lets no certificate out with a signature %s', async (_, sign) => {
    const linting = { rules: rules(), throwaway: { sign: (tbs: Uint8Array) => signDer(throwaway.privateKey, tbs) } };
    await expect(issueCertificate(description(), fleet.vehicleCa.certificate, sign, linting)).rejects.toMatchObject({
      code: 'ca.signature_wrong',
    });
  });
});
