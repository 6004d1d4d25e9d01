/** revocation: what is out of service, and who enforces it. */
import { DeviceId, InstanceId } from '@outrider/ids';
import { z } from 'zod';
import { event, request } from './contract.js';
import { CertificateRef, DerBase64, Instant, RevocationReason } from './values.js';

/** What an entry names. `serial` is `<issuerKeyId>-<serialNumber>`; `network` is a CIDR; `token` a jti. */
export const DenylistKind = z.enum(['certificate', 'serial', 'key', 'device', 'token', 'network']);
export type DenylistKind = z.infer<typeof DenylistKind>;

export const DenylistMode = z.enum(['deny', 'recovery']);
export type DenylistMode = z.infer<typeof DenylistMode>;

/** One entry as it stands in the KV bucket. `until`: after it the entry says nothing (absent: for ever). */
export const DenylistEntry = z.strictObject({
  kind: DenylistKind,
  value: z.string().min(1).max(256),
  mode: DenylistMode,
  reason: z.string().max(64),
  until: Instant.optional(),
  sequence: z.int().positive(),
  /** A tombstone: the entry was withdrawn at this sequence. */
  removed: z.literal(true).optional(),
});
export type DenylistEntry = z.infer<typeof DenylistEntry>;

/**
 * The heartbeat in the same bucket, every second. All entries up to `sequence` were written before it; `count` and
 * `digest` (hex, XOR of the SHA-256 of each live entry's key) let a reader prove that it holds the same set.
 */
export const DenylistHeartbeat = z.strictObject({
  generation: z.int().positive(),
  sequence: z.int().nonnegative(),
  count: z.int().nonnegative(),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  /** All entries but those of bulk changes were written up to here, ahead of what is told by `sequence`; absent: up to `sequence`. */
  urgent: z.int().positive().optional(),
});
export type DenylistHeartbeat = z.infer<typeof DenylistHeartbeat>;

/**
 * What lies in the bucket DENYLIST_SNAPSHOT: chunks (`libs/admission`, packed-entries.ts) that together hold at least what the bucket
 * DENYLIST held at `revision`, live, in `generation`. A reader watches that bucket from `revision` on.
 */
export const DenylistManifest = z.strictObject({
  generation: z.int().positive(),
  revision: z.int().positive(),
  /** That of the heartbeat at `revision`. */
  sequence: z.int().nonnegative(),
  count: z.int().nonnegative(),
  chunks: z.array(z.strictObject({ key: z.string().max(64), sha256: z.string().regex(/^[0-9a-f]{64}$/) })).max(100_000),
});
export type DenylistManifest = z.infer<typeof DenylistManifest>;

export const certificateRevoked = event({
  subject: 'revocation.certificate.revoked.v1',
  from: 'revocation',
  to: ['provisioning', 'command', 'gateway'],
  payload: z.strictObject({ ref: CertificateRef, reason: RevocationReason, revokedAt: Instant, revokedBy: z.string() }),
});

/** So many refs of one batch at most. */
export const BATCH_REFS_MAX = 250;

/** Certificates revoked together, of a job of many, instead of an event each. */
export const certificateBatchRevoked = event({
  subject: 'revocation.certificate_batch.revoked.v1',
  from: 'revocation',
  to: ['provisioning', 'gateway'],
  payload: z.strictObject({
    refs: z.array(CertificateRef).min(1).max(BATCH_REFS_MAX),
    reason: RevocationReason,
    revokedAt: Instant,
    revokedBy: z.string(),
  }),
});

/** The same of holds that were released together. */
export const certificateBatchReleased = event({
  subject: 'revocation.certificate_batch.released.v1',
  from: 'revocation',
  to: ['provisioning'],
  payload: z.strictObject({
    refs: z.array(CertificateRef).min(1).max(BATCH_REFS_MAX),
    releasedAt: Instant,
    releasedBy: z.string(),
  }),
});

/** A whole device is out of service: its identity, not only one certificate. */
export const deviceRevoked = event({
  subject: 'revocation.device.revoked.v1',
  routed: true,
  from: 'revocation',
  to: ['provisioning', 'command', 'gateway'],
  payload: z.strictObject({ deviceId: DeviceId, reason: RevocationReason, revokedAt: Instant, revokedBy: z.string() }),
});

/** The hold of a certificate was released: nothing that was revoked before `releasedAt` stands of it. */
export const certificateReleased = event({
  subject: 'revocation.certificate.released.v1',
  from: 'revocation',
  to: ['provisioning'],
  payload: z.strictObject({ ref: CertificateRef, releasedAt: Instant, releasedBy: z.string() }),
});

/** The hold of a whole device was released; each of its certificates is told for itself. */
export const deviceReleased = event({
  subject: 'revocation.device.released.v1',
  routed: true,
  from: 'revocation',
  to: ['provisioning'],
  payload: z.strictObject({ deviceId: DeviceId, releasedAt: Instant, releasedBy: z.string() }),
});

const DenylistChange = z.strictObject({
  entries: z
    .array(
      z.strictObject({
        kind: DenylistKind,
        value: z.string().min(1).max(256),
        mode: DenylistMode,
        reason: z.string().max(64),
        until: Instant.optional(),
        /** Not to be withdrawn: no block, and no end of one, touches it. */
        lasting: z.literal(true).optional(),
      }),
    )
    .min(1)
    .max(1000),
  /** Milliseconds to wait for every live instance to enforce; 0: do not wait. */
  waitMs: z.int().min(0).max(10_000),
});

/** Who enforces the change, and who did not say so in time. `failsClosedAt`: when that instance stops trusting its list. */
export const Enforcement = z.strictObject({
  sequence: z.int().nonnegative(),
  enforcedBy: z.array(z.strictObject({ instance: InstanceId, ms: z.number() })),
  pending: z.array(z.strictObject({ instance: InstanceId, failsClosedAt: Instant })),
});
export type Enforcement = z.infer<typeof Enforcement>;

export const denylistAdd = request({
  subject: 'revocation.denylist.add.v1',
  from: ['gateway', 'token'],
  to: 'revocation',
  payload: DenylistChange,
  reply: Enforcement,
});

export const denylistRemove = request({
  subject: 'revocation.denylist.remove.v1',
  from: ['gateway'],
  to: 'revocation',
  payload: z.strictObject({
    entries: z
      .array(z.strictObject({ kind: DenylistKind, value: z.string().min(1).max(256) }))
      .min(1)
      .max(1000),
    waitMs: z.int().min(0).max(10_000),
  }),
  reply: Enforcement,
});

/** An instance enforces everything up to `sequence`, and of what is urgent up to `urgent`: memory swapped, named connections closed. */
export const denylistEnforced = event({
  subject: 'revocation.denylist.enforced.v1',
  routed: true,
  ephemeral: true,
  from: ['fleet-ca', 'provisioning', 'token', 'telemetry', 'command', 'revocation', 'gateway'],
  to: ['revocation'],
  payload: z.strictObject({
    instance: InstanceId,
    sequence: z.int().nonnegative(),
    /** As in the heartbeat. */
    urgent: z.int().positive().optional(),
    closedConnections: z.int().nonnegative(),
  }),
});

/**
 * The OCSP answer that a listener staples to its certificate (RFC 6066 §8). The certificate proves itself: revocation believes its
 * issuer's signature, and knows it from then on.
 */
export const stapleGet = request({
  subject: 'revocation.staple.get.v1',
  from: ['provisioning', 'token', 'telemetry', 'command', 'revocation', 'gateway'],
  to: 'revocation',
  payload: z.strictObject({ certificate: DerBase64 }),
  reply: z.strictObject({
    staple: z.base64().max(16_384),
    /** From when on a newer one may be had. */
    refreshAt: Instant,
    nextUpdate: Instant,
  }),
});
