/** provisioning: devices and which certificates are theirs. */
import { DeviceId, Epoch, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { event, request } from './contract.js';
import { DenylistMode } from './revocation.js';
import { CertificateRef, DerBase64, DeviceState, Grant, Instant } from './values.js';

/** A device as other services keep it. `version` grows by one with each change: an older one is ignored. */
export const DeviceSnapshot = z.strictObject({
  deviceId: DeviceId,
  state: DeviceState,
  grants: z.array(Grant),
  attestation: z.enum(['none', 'hardware']),
  /** Absent in what was sent before they were told. */
  labels: z.array(z.string().max(63)).max(32).optional(),
  manufacturer: z.string().min(1).max(64).optional(),
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

/**
 * What the registry itself asks of the denylist for a device: `deny` for one that is retired or awaits recovery, `recovery` for a stolen or suspected one, nothing
 * (no `mode`) when that is over. Of two, the higher `version` counts.
 */
export const deviceDenied = event({
  subject: 'provisioning.device.denied.v1',
  routed: true,
  from: 'provisioning',
  to: ['revocation'],
  payload: z.strictObject({
    deviceId: DeviceId,
    mode: DenylistMode.optional(),
    reason: z.string().max(64).optional(),
    version: z.int().positive(),
    at: Instant,
  }),
});

/**
 * Two operators gave a device its way back: the device id is good again; keys and certificates that were revoked stay so. It undoes
 * revocations up to `revokedUpTo` and blocks up to `blockedUpTo`, by the clocks of those who made them (absent: none was known): a
 * later one stands.
 */
export const deviceRecovered = event({
  subject: 'provisioning.device.recovered.v1',
  routed: true,
  from: 'provisioning',
  to: ['revocation', 'gateway'],
  payload: z.strictObject({
    deviceId: DeviceId,
    orderId: z.uuid(),
    kind: z.enum(['recovery', 'reinstate', 'ecu_swap']),
    revokedUpTo: Instant.optional(),
    blockedUpTo: Instant.optional(),
    reason: z.string().max(500),
    requestedBy: z.string(),
    approvedBy: z.string(),
    at: Instant,
  }),
});

/**
 * revocation asks what a wide target names, page by page: the unexpired certificates that were enrolled at an EST label (by thumbprint), or
 * the devices of a manufacturer whose factory serial numbers begin with `batch`. `next`: there is more behind it.
 */
export const targetsList = request({
  subject: 'provisioning.target.list.v1',
  from: ['revocation'],
  to: 'provisioning',
  payload: z.strictObject({
    target: z.union([
      z.strictObject({ label: z.string().max(63) }),
      z.strictObject({ manufacturer: z.string().max(63), batch: z.string().max(64).optional() }),
    ]),
    after: z.string().max(64),
    limit: z.int().min(1).max(2000),
  }),
  reply: z.strictObject({
    thumbprints: z.array(Thumbprint).optional(),
    deviceIds: z.array(DeviceId).optional(),
    next: z.string().optional(),
  }),
});

/** A certificate was handed to its vehicle. `renewedFrom` is the certificate that asked for it. */
export const certificateEnrolled = event({
  subject: 'provisioning.certificate.enrolled.v1',
  routed: true,
  from: 'provisioning',
  to: ['revocation'],
  payload: z.strictObject({ ref: CertificateRef, renewedFrom: Thumbprint.optional(), enrolledAt: Instant }),
});

/** A certificate gave way to its successor, the overlap being over; without one its device was sold or got other hardware. */
export const certificateSuperseded = event({
  subject: 'provisioning.certificate.superseded.v1',
  routed: true,
  from: 'provisioning',
  to: ['revocation'],
  payload: z.strictObject({ ref: CertificateRef, supersededBy: Thumbprint.optional(), supersededAt: Instant }),
});

/**
 * Telemetry asks for a signing certificate it does not know (`kid`), gateway whose a certificate is that is to be blocked. Not found:
 * `provisioning.certificate_not_found`. The times say since when the certificate is out of service: what it signed before then may still
 * be looked at.
 */
export const vehicleCertificateGet = request({
  subject: 'provisioning.certificate.get.v1',
  from: ['telemetry', 'command', 'gateway'],
  to: 'provisioning',
  payload: z.strictObject({ thumbprint: Thumbprint }),
  reply: z.strictObject({
    certificate: DerBase64,
    deviceId: DeviceId,
    status: z.enum(['live', 'pending', 'superseded', 'revoked']),
    supersededAt: Instant.optional(),
    revokedAt: Instant.optional(),
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
 * A finding of clone detection, once while the same goes on. `certain`: no vehicle does so by itself. `quarantined`: the device went
 * into quarantine for it, by the policy of its label. For who watches the fleet (incident, a later step).
 */
export const findingRaised = event({
  subject: 'provisioning.finding.raised.v1',
  routed: true,
  from: 'provisioning',
  to: [],
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
