/** provisioning: devices and which certificates are theirs. */
import { DeviceId, Epoch, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { event, request } from './contract.js';
import { CertificateRef, DerBase64, DeviceState, Grant, Instant } from './values.js';

/** A device as other services keep it. `version` grows by one with each change: an older one is ignored. */
export const DeviceSnapshot = z.strictObject({
  deviceId: DeviceId,
  state: DeviceState,
  grants: z.array(Grant),
  attestation: z.enum(['none', 'hardware']),
  minEpoch: Epoch,
  version: z.int().positive(),
  changedAt: Instant,
});
export type DeviceSnapshot = z.infer<typeof DeviceSnapshot>;

export const deviceChanged = event({
  subject: 'provisioning.device.changed.v1',
  routed: true,
  from: 'provisioning',
  to: ['token', 'command', 'gateway'],
  payload: DeviceSnapshot,
});

export const deviceGet = request({
  subject: 'provisioning.device.get.v1',
  from: ['token', 'command', 'gateway', 'revocation'],
  to: 'provisioning',
  payload: z.strictObject({ deviceId: DeviceId }),
  reply: z.strictObject({ device: DeviceSnapshot, certificates: z.array(CertificateRef) }),
});

/** A certificate was handed to its vehicle. `renewedFrom` is the certificate that asked for it. */
export const certificateEnrolled = event({
  subject: 'provisioning.certificate.enrolled.v1',
  routed: true,
  from: 'provisioning',
  to: ['revocation'],
  payload: z.strictObject({ ref: CertificateRef, renewedFrom: Thumbprint.optional(), enrolledAt: Instant }),
});

/** A certificate gave way to its successor, the overlap being over. */
export const certificateSuperseded = event({
  subject: 'provisioning.certificate.superseded.v1',
  routed: true,
  from: 'provisioning',
  to: ['revocation'],
  payload: z.strictObject({ ref: CertificateRef, supersededBy: Thumbprint, supersededAt: Instant }),
});

/** Telemetry asks for a signing certificate it does not know (`kid`). Not found: `provisioning.certificate_not_found`. */
export const vehicleCertificateGet = request({
  subject: 'provisioning.certificate.get.v1',
  from: ['telemetry', 'command'],
  to: 'provisioning',
  payload: z.strictObject({ thumbprint: Thumbprint }),
  reply: z.strictObject({
    certificate: DerBase64,
    deviceId: DeviceId,
    status: z.enum(['live', 'pending', 'superseded', 'revoked']),
  }),
});

/** What points to a second holder of a key or an identity. */
export const FindingKind = z.enum([
  'key_reused',
  'identity_in_two_places',
  'overlapping_renewals',
  'factory_certificate_while_live',
  'revoked_identity_used',
]);
export type FindingKind = z.infer<typeof FindingKind>;

/**
 * A finding of clone detection, once while the same goes on. `certain`: the request was refused for it. `quarantined`: the device is
 * quarantined for it, by the policy of its label; the gateway makes that a block, which an operator can end.
 */
export const findingRaised = event({
  subject: 'provisioning.finding.raised.v1',
  routed: true,
  from: 'provisioning',
  to: ['gateway'],
  payload: z.strictObject({
    findingId: z.uuid(),
    kind: FindingKind,
    deviceId: DeviceId,
    certain: z.boolean(),
    quarantined: z.boolean(),
    thumbprints: z.array(Thumbprint).max(8),
    remoteAddresses: z.array(z.string().max(64)).max(8),
    detail: z.string().max(500),
    raisedAt: Instant,
  }),
});
