/** Certificates for tests of decisions, described by what differs. */
import type { DeviceState } from '@outrider/contracts';
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import type { HeldCertificate } from '../certificate/certificate.js';
import { label } from '../label/label.fixture.js';
import type { Circumstances, KeyUse } from './decision.js';

export const NOW = new Date('2026-03-01T12:00:00Z');
export const DEVICE = DeviceId.parse('device-12345');

/** `A` -> a thumbprint that begins with A. */
export const named = (name: string): Thumbprint => Thumbprint.parse(name.padEnd(43, 'A'));
export const hours = (count: number): Date => new Date(NOW.getTime() + count * 3_600_000);

/** An active device asks at the default label, with a new key that nobody else has, unless told otherwise. */
export function circumstances(
  state: DeviceState,
  certificates: readonly HeldCertificate[],
  request: { readonly keyThumbprint?: string; readonly csrSha256?: string; readonly key?: Partial<KeyUse> } = {},
  parts: Partial<Circumstances> = {},
): Circumstances {
  const { keyThumbprint = 'a new key', csrSha256 = 'a new request', key = {} } = request;
  return {
    device: { deviceId: DEVICE, state, manufacturer: 'demo-motors', labels: [] },
    held: certificates,
    request: { keyThumbprint, keyAlgorithm: 'P-256', csrSha256, key: { holders: [], revoked: false, ...key } },
    label: label(),
    client: { thumbprint: named('factory'), remoteAddress: '127.0.0.1' },
    approval: undefined,
    now: NOW,
    ...parts,
  };
}

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
    label: 'default',
    csrSha256: null,
    createdAt: hours(-1),
    overlapEndsAt: null,
    supersededBy: null,
    ...parts,
  };
}
