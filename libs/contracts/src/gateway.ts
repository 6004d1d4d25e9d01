/** gateway: blocks, and the decisions every service reports to its log. */
import { DeviceId, InstanceId, JwtId, SERVICES, type Service, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { event, request } from './contract.js';
import { OcsfDecision } from './ocsf.js';
import { DenylistMode } from './revocation.js';
import { DeviceState, Instant } from './values.js';

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

/** What the bucket POLICIES holds under its one key: a compact JWS, `typ: outrider-policies+jws`, by gateway's own key. */
export const SignedPolicies = z.string().max(1_048_576);

/** What the JWS carries: Cedar texts by id (libs/policy). `version` only grows. */
export const PoliciesInForce = z.strictObject({
  version: z.int().positive(),
  schema: z.string().max(65_536),
  policies: z.record(z.string(), z.string()),
  issuedAt: Instant,
});
export type PoliciesInForce = z.infer<typeof PoliciesInForce>;

/** What a policy may know of a vehicle: the registry's word, and its conditions by its latest accepted telemetry; what is not known is absent. */
export const DeviceContext = z.strictObject({
  state: DeviceState,
  attestation: z.enum(['none', 'hardware']),
  labels: z.array(z.string()),
  /** IANA zone of where it is registered. */
  timeZone: z.string(),
  telemetryAgeSeconds: z.int().nonnegative().optional(),
  /** Rounded up. */
  speedKmh: z.int().nonnegative().optional(),
  health: z.string().max(64).optional(),
  attestationAgeSeconds: z.int().nonnegative().optional(),
  /** Names of the geofences that it is in. */
  geofences: z.array(z.string()),
  /** It has geofences to keep to, and is in none of them, or nobody knows where it is. */
  outsideGeofence: z.boolean(),
});
export type DeviceContext = z.infer<typeof DeviceContext>;

const PolicyEntity = z.strictObject({
  type: z.string(),
  id: z.string(),
  attributes: z.record(z.string(), z.unknown()),
});

/** A decision by policies with all that it was made from, so that other policies can be tried on it: every denial, allows in part. */
export const PolicyDecided = z.strictObject({
  service: z.enum(SERVICES),
  instance: InstanceId,
  request: z.strictObject({
    principal: PolicyEntity,
    action: z.string(),
    resource: PolicyEntity,
    context: z.record(z.string(), z.unknown()),
  }),
  decision: z.enum(['allow', 'deny']),
  policies: z.array(z.string()),
  errors: z.array(z.string().max(500)),
  version: z.int().positive(),
  at: Instant,
});
export type PolicyDecided = z.infer<typeof PolicyDecided>;

const DECIDERS = ['token', 'command', 'revocation', 'gateway'] as const satisfies readonly Service[];

/** `<service>.policy.decided.v1`. */
export function policyDecided(service: Service) {
  return event({ subject: `${service}.policy.decided.v1`, from: service, to: ['gateway'], payload: PolicyDecided });
}

export const POLICIES_DECIDED = DECIDERS.map((service) => policyDecided(service));

/** Not found: `provisioning.device_not_found`. */
export const deviceContextGet = request({
  subject: 'gateway.device_context.get.v1',
  from: ['token', 'command', 'revocation'],
  to: 'gateway',
  payload: z.strictObject({ deviceId: DeviceId }),
  reply: DeviceContext,
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
  /** Of a token that was verified. */
  tokenId: JwtId.optional(),
  policies: z.array(z.string().max(128)).max(32).optional(),
  latencyMs: z.number().nonnegative().optional(),
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

/** What the decision log has taken in, once it is stored, for a SIEM: each user `siem-<name>` hears it by a consumer of its own. */
export const decisionLogged = event({
  subject: 'gateway.decision.logged.v1',
  from: 'gateway',
  to: [],
  payload: OcsfDecision,
});
