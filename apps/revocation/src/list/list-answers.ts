/** How revocations look in lists. */
import { Instant, page, RevocationReason } from '@outrider/contracts';
import { z } from 'zod';

export const Revocation = z
  .strictObject({
    serial: z.string().optional(),
    thumbprint: z.string().optional(),
    issuer: z.string().optional(),
    device_id: z.string().optional(),
    reason: RevocationReason,
    revoked_at: Instant,
    revoked_by: z.string(),
    released_at: Instant.optional(),
    released_by: z.string().optional(),
    note: z.string().optional(),
  })
  .meta({ id: 'Revocation' });
export type Revocation = z.input<typeof Revocation>;

export const RevocationPage = page(Revocation).meta({ id: 'RevocationPage' });
