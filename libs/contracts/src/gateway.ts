/** gateway: blocks, and the decisions every service reports to its log. */
import { DeviceId, InstanceId, SERVICES, type Service, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { event } from './contract.js';
import { DenylistMode } from './revocation.js';
import { Instant } from './values.js';

export const blockChanged = event({
  subject: 'gateway.block.changed.v1',
  routed: true,
  from: 'gateway',
  to: ['provisioning'],
  payload: z.strictObject({
    deviceId: DeviceId,
    blocked: z.boolean(),
    mode: DenylistMode.optional(),
    reason: z.string().max(500),
    by: z.string(),
    at: Instant,
  }),
});

/** One decision, or `count` alike ones since `since`. The first deny of a (code, source) goes out at once, then aggregated. */
export const Decision = z.strictObject({
  service: z.enum(SERVICES),
  instance: InstanceId,
  decision: z.enum(['allow', 'deny']),
  /** A code of libs/errors for a deny; `ok` for an allow. */
  code: z.string().max(64),
  listener: z.enum(['vehicle', 'operator', 'http']),
  action: z.string().max(128),
  deviceId: DeviceId.optional(),
  thumbprint: Thumbprint.optional(),
  subject: z.string().max(128).optional(),
  remoteAddress: z.string().max(64).optional(),
  detail: z.string().max(500).optional(),
  traceId: z.string().max(64).optional(),
  count: z.int().positive(),
  since: Instant,
  at: Instant,
});
export type Decision = z.infer<typeof Decision>;

/** `<service>.decision.made.v1`: the prefix is the service that decided. */
export function decisionMade(service: Service) {
  return event({ subject: `${service}.decision.made.v1`, from: service, to: ['gateway'], payload: Decision });
}

export const DECISIONS_MADE = SERVICES.map((service) => decisionMade(service));
