/** telemetry: accepted records, after their commit. */
import { DeviceId, Epoch, SequenceNumber, StreamName, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { event } from './contract.js';
import { Instant } from './values.js';

export const messageAccepted = event({
  subject: 'telemetry.message.accepted.v1',
  routed: true,
  latest: true,
  readBack: true,
  from: 'telemetry',
  to: ['gateway'],
  live: ['telemetry'],
  payload: z.strictObject({
    deviceId: DeviceId,
    stream: StreamName,
    epoch: Epoch,
    seq: SequenceNumber,
    /** Seconds since the epoch, as the vehicle says. */
    ts: z.number(),
    receivedAt: Instant,
    /** The payload exactly as received. */
    payload: z.string(),
    /** Hex SHA-256 of the canonical record. */
    canonicalSha256: z.string().regex(/^[0-9a-f]{64}$/),
    thumbprint: Thumbprint,
  }),
});

/** What no vehicle does by itself, once while the same goes on: for who watches the fleet (incident, a later step). */
export const telemetryFindingRaised = event({
  subject: 'telemetry.finding.raised.v1',
  routed: true,
  from: 'telemetry',
  to: [],
  payload: z.strictObject({
    findingId: z.uuid(),
    /** `jumped`: taken, far above the highest number; `jump`: refused, beyond the hard limit; `log_refused`: an offline log that was tampered with. */
    kind: z.enum(['jumped', 'jump', 'replayed', 'epoch_raised', 'log_refused']),
    deviceId: DeviceId,
    stream: StreamName,
    epoch: Epoch,
    seq: SequenceNumber,
    detail: z.string().max(500),
    raisedAt: Instant,
  }),
});

/**
 * A record that came by an offline log: late, and out of the order of `messageAccepted`. `standing`: `unanchored` where its certificate
 * was revoked and nothing proves that the log was written before.
 */
export const recordBackfilled = event({
  subject: 'telemetry.record.backfilled.v1',
  routed: true,
  from: 'telemetry',
  to: [],
  payload: messageAccepted.payload.extend({
    orderId: z.uuid(),
    log: z.string().max(64),
    segment: z.int().positive(),
    standing: z.enum(['trusted', 'unanchored']),
  }),
});
