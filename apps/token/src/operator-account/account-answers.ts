/** How operators' accounts look in answers. */
import { Instant, page } from '@outrider/contracts';
import { z } from 'zod';

export const OperatorAccount = z
  .strictObject({
    sub: z.string(),
    client_id: z.string(),
    kind: z.enum(['service', 'person']),
    identity: z.string(),
    roles: z.array(z.string()),
    enabled: z.boolean(),
    public_key: z.string().optional(),
    keyed_by: z.array(z.string()).optional(),
    created_at: Instant,
    changed_at: Instant,
  })
  .meta({ id: 'OperatorAccount' });

export const OperatorAccountPage = page(OperatorAccount).meta({ id: 'OperatorAccountPage' });
