/** How a service says whether it is there. */
import { z } from 'zod';

export const Alive = z.strictObject({ status: z.literal('alive') });
export const Ready = z
  .strictObject({
    /** `degraded`: a dependency that all instances share is away. */
    status: z.enum(['ready', 'degraded', 'starting', 'draining']),
    checks: z.record(z.string(), z.strictObject({ ok: z.boolean(), detail: z.unknown().optional() })),
  })
  .meta({ id: 'Readiness' });
