import { describe, expect, it, test } from '@jest/globals';
import type { RevocationReason } from '@outrider/contracts';
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { type HeldCertificate, release } from './release.js';

const deviceId = DeviceId.parse('device-12345');

function certificate(n: number, reasons: RevocationReason[]): HeldCertificate {
  const ref = {
    deviceId,
    issuerKeyId: 'a'.repeat(40),
    serialNumber: SerialNumber.parse(`0${n}`),
    thumbprint: Thumbprint.parse(`${`${n}`.repeat(42)}A`),
    keyThumbprint: `k${n}`.padEnd(43, 'k'),
    notBefore: '2026-01-01T00:00:00.000Z',
    notAfter: '2026-01-02T00:00:00.000Z',
  };
  return { ref, reasons, held: reasons.flatMap((reason, i) => (reason === 'certificateHold' ? [`${n}${i}`] : [])) };
}

const device = (reasons: RevocationReason[]) => ({
  deviceId,
  reasons,
  held: reasons.flatMap((reason, i) => (reason === 'certificateHold' ? [`d${i}`] : [])),
});
const NOT_HELD = expect.objectContaining({ code: 'revocation.not_held' });

describe('release', () => {
  it('ends the hold of one certificate under both its names', () => {
    const { certificates, names } = release({ named: certificate(1, ['certificateHold']), related: [] });
    expect(certificates.flatMap(({ held }) => held)).toEqual(['10']);
    expect(names.map(({ kind }) => kind)).toEqual(['certificate', 'serial']);
  });

  test.each<[string, RevocationReason[]]>([
    ['nothing', []],
    ['what was revoked for good', ['superseded']],
    ['a hold that became graver', ['certificateHold', 'keyCompromise']],
  ])('refuses %s', (_what, reasons) => {
    expect(() => release({ named: certificate(1, reasons), related: [] })).toThrow(NOT_HELD);
    expect(() => release({ device: device(reasons), related: [certificate(1, reasons)] })).toThrow(NOT_HELD);
  });

  it('refuses a device that was revoked for good, whatever is held of it', () => {
    const input = {
      device: device(['certificateHold', 'unspecified']),
      related: [certificate(1, ['certificateHold'])],
    };
    expect(() => release(input)).toThrow(NOT_HELD);
  });

  it('of a device ends its hold and those of its certificates, and no more', () => {
    const related = [certificate(1, ['certificateHold']), certificate(2, ['superseded']), certificate(3, [])];
    const { certificates, device: released, names } = release({ device: device(['certificateHold']), related });
    expect(certificates.map(({ ref }) => ref.serialNumber)).toEqual(['01']);
    expect(released?.held).toEqual(['d0']);
    expect(names).toHaveLength(3);
  });

  it('ends holds of its certificates where the device itself has none', () => {
    const { device: released } = release({ device: device([]), related: [certificate(1, ['certificateHold'])] });
    expect(released).toBeUndefined();
  });
});
