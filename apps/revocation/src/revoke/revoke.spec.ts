import { describe, expect, it, test } from '@jest/globals';
import type { CertificateRef, RevocationReason } from '@outrider/contracts';
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { type KnownCertificate, type RevokeInput, requireAgreement, revoke } from './revoke.js';

const DEVICE = DeviceId.parse('device-12345');

function certificate(n: number, reasons: RevocationReason[] = []): KnownCertificate {
  const ref: CertificateRef = {
    deviceId: DEVICE,
    issuerKeyId: 'a'.repeat(40),
    serialNumber: SerialNumber.parse(`0${n}`),
    thumbprint: Thumbprint.parse(`${`${n}`.repeat(42)}A`),
    keyThumbprint: `k${n}`.padEnd(43, 'k'),
    notBefore: '2026-01-01T00:00:00.000Z',
    notAfter: '2026-01-02T00:00:00.000Z',
  };
  return { ref, reasons };
}

const device = (reasons: RevocationReason[] = []) => ({ deviceId: DEVICE, reasons });
const [one, two] = [certificate(1), certificate(2)];
const base = { named: one, device: device(), related: [one, two], reason: 'superseded', entryGraceMs: 60_000 } as const;
const kinds = (input: RevokeInput) => revoke(input).claims.map(({ kind, value }) => `${kind} ${value.slice(-2)}`);

describe('revoke', () => {
  it('takes one certificate, by thumbprint and by serial, until its time and the grace are over', () => {
    const decided = revoke(base);
    expect(decided).toMatchObject({
      covered: [one.ref],
      fresh: [one.ref],
      freshDevice: undefined,
      reason: 'superseded',
    });
    expect(kinds(base)).toEqual(['certificate 1A', 'serial 01']);
    expect(decided.claims[0]?.until).toEqual(new Date('2026-01-02T00:01:00Z'));
  });

  it('takes a device with all its certificates, and no key for ever', () => {
    const input = { ...base, named: undefined };
    expect(revoke(input)).toMatchObject({ covered: [one.ref, two.ref], freshDevice: DEVICE });
    expect(kinds(input)).toEqual(['certificate 1A', 'serial 01', 'certificate 2A', 'serial 02', 'device 45']);
  });

  it('takes all that a compromised key touches, keys and device for ever', () => {
    const { claims, freshDevice } = revoke({ ...base, reason: 'keyCompromise' });
    expect(freshDevice).toBe(DEVICE);
    expect(claims.filter(({ until }) => until === undefined).map(({ kind }) => kind)).toEqual(['key', 'key', 'device']);
    expect(claims).toHaveLength(7);
  });

  test.each<[string, RevocationReason[], RevocationReason, RevocationReason, number]>([
    ['the first reason stands', ['superseded'], 'unspecified', 'superseded', 0],
    ['a compromise is graver', ['superseded'], 'keyCompromise', 'keyCompromise', 2],
    ['a compromise stays', ['superseded', 'keyCompromise'], 'unspecified', 'keyCompromise', 1],
    ['a compromise again is no news of it', ['keyCompromise'], 'keyCompromise', 'keyCompromise', 1],
  ])('again: %s', (_name, before, asked, reason, fresh) => {
    const named = certificate(1, before);
    const decided = revoke({ ...base, named, related: [named, two], device: device(), reason: asked });
    expect(decided.reason).toBe(reason);
    expect(decided.fresh).toHaveLength(fresh);
  });

  it('changes nothing the second time', () => {
    const done = [certificate(1, ['keyCompromise']), certificate(2, ['keyCompromise'])] as const;
    const again = revoke({
      ...base,
      named: done[0],
      related: done,
      device: device(['keyCompromise']),
      reason: 'keyCompromise',
    });
    expect(again).toMatchObject({ fresh: [], freshDevice: undefined });
    expect(again.claims).toEqual(revoke({ ...base, reason: 'keyCompromise' }).claims);
  });

  it('takes a hold by claims that say so, and leaves what is graver as it is', () => {
    const graver = certificate(2, ['superseded']);
    const input = { ...base, named: undefined, related: [one, graver], reason: 'certificateHold' } as const;
    const { fresh, freshDevice, claims } = revoke(input);
    expect({ fresh, freshDevice }).toEqual({ fresh: [one.ref], freshDevice: DEVICE });
    expect(claims.map(({ kind, reason }) => `${kind} ${reason}`)).toEqual([
      'certificate certificateHold',
      'serial certificateHold',
      'certificate superseded',
      'serial superseded',
      'device certificateHold',
    ]);
  });

  it('takes a key by its name with what has it, and no device', () => {
    const key = { keyThumbprint: one.ref.keyThumbprint, reasons: [] };
    const input = { ...base, named: undefined, device: undefined, key, related: [one] };
    expect(revoke(input)).toMatchObject({ freshKey: key.keyThumbprint, fresh: [one.ref], freshDevice: undefined });
    expect(kinds(input)).toEqual(['certificate 1A', 'serial 01', 'key kk']);
    expect(revoke({ ...input, key: { ...key, reasons: ['superseded'] } }).freshKey).toBeUndefined();
  });

  it('takes no other device for a key that two share', () => {
    const foreign = { ...two, ref: { ...two.ref, deviceId: DeviceId.parse('device-other') } };
    const { claims } = revoke({ ...base, related: [one, foreign], reason: 'keyCompromise' });
    expect(claims.filter(({ kind }) => kind === 'device').map(({ value }) => value)).toEqual([DEVICE]);
  });
});

describe('requireAgreement', () => {
  it('accepts names of one certificate and refuses any other', () => {
    const { serialNumber, thumbprint } = one.ref;
    expect(() => requireAgreement({ serialNumber, thumbprint, deviceId: DEVICE }, one.ref)).not.toThrow();
    for (const target of [
      { serialNumber: two.ref.serialNumber },
      { thumbprint: two.ref.thumbprint },
      { serialNumber, deviceId: DeviceId.parse('device-other') },
    ]) {
      const conflict = expect.objectContaining({ code: 'revocation.target_conflict' });
      expect(() => requireAgreement(target, one.ref)).toThrow(conflict);
    }
  });
});
