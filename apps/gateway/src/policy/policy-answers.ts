/** How policies look in answers. */
import { Instant } from '@outrider/contracts';
import { z } from 'zod';

const bundle = {
  version: z.int(),
  source: z.enum(['operator', 'shipped']),
  changed_by: z.string(),
  reason: z.string(),
  changed_at: Instant,
} as const;

export const PolicyBundle = z
  .strictObject({ ...bundle, schema: z.string(), policies: z.record(z.string(), z.string()) })
  .meta({ id: 'PolicyBundle' });

export const PolicyVersions = z
  .strictObject({ items: z.array(z.strictObject({ ...bundle, policies: z.array(z.string()) })), next: z.null() })
  .meta({ id: 'PolicyVersions' });

const decision = { decision: z.enum(['allow', 'deny']), policies: z.array(z.string()) } as const;

export const PolicyDryRun = z
  .strictObject({
    tried: z.int(),
    would_allow: z.int(),
    would_deny: z.int(),
    changes: z.array(
      z.strictObject({
        id: z.string(),
        at: Instant,
        service: z.string(),
        action: z.string(),
        principal: z.string(),
        resource: z.string(),
        was: z.strictObject(decision),
        would_be: z.strictObject({ ...decision, errors: z.array(z.string()) }),
      }),
    ),
  })
  .meta({ id: 'PolicyDryRun' });
