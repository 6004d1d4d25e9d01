/** Certificates for tests of decisions, described by what differs. */
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import type { HeldCertificate } from '../certificate/certificate.js';

export const NOW = new Date('2026-03-01T12:00:00Z');
export const DEVICE = DeviceId.parse('device-12345');

/** `A` -> a thumbprint that begins with A. */
export const named = (name: string): Thumbprint => Thumbprint.parse(name.padEnd(43, 'A'));
export const hours = (count: number): Date => new Date(NOW.getTime() + count * 3_600_000);

/** Live, an hour old, a day to go, unless told otherwise. */
export function held(name: string, parts: Partial<HeldCertificate> = {}): HeldCertificate {
  return {
    thumbprint: named(name),
    deviceId: DEVICE,
    issuerKeyId: 'ab'.repeat(20),
    serialNumber: SerialNumber.parse('01'),
    keyThumbprint: `key of ${name}`,
    notBefore: hours(-1),
    notAfter: hours(24),
    status: 'live',
    askedBy: named('factory'),
    operation: 'enrol',
    createdAt: hours(-1),
    overlapEndsAt: null,
    supersededBy: null,
    ...parts,
  };
}
