/** How decisions look in answers. */
import { Instant, OcsfDecision, page } from '@outrider/contracts';
import { DeviceId, InstanceId, JwtId, SERVICES, Thumbprint } from '@outrider/ids';
import { z } from 'zod';

export const LoggedDecision = z
  .strictObject({
    id: z.string(),
    service: z.enum(SERVICES),
    instance: InstanceId,
    decision: z.enum(['allow', 'deny']),
    code: z.string(),
    listener: z.enum(['vehicle', 'operator', 'http']),
    action: z.string(),
    device_id: DeviceId.optional(),
    thumbprint: Thumbprint.optional(),
    subject: z.string().optional(),
    remote_address: z.string().optional(),
    detail: z.string().optional(),
    trace_id: z.string().optional(),
    token_id: JwtId.optional(),
    policies: z.array(z.string()).optional(),
    latency_ms: z.number().optional(),
    count: z.int(),
    since: Instant,
    at: Instant,
  })
  .meta({ id: 'LoggedDecision' });

/** `form=ocsf`: as a SIEM takes it. */
export const DecisionInForm = z.union([LoggedDecision, OcsfDecision]);
export type DecisionInForm = z.input<typeof DecisionInForm>;
export const DecisionPage = page(DecisionInForm).meta({ id: 'DecisionPage' });
