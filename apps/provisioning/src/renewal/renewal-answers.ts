/** When a vehicle had better renew (draft-ietf-lamps-est-renewal-info). */
import { Instant } from '@outrider/contracts';
import { z } from 'zod';

export const RenewalWindow = z
  .strictObject({ suggestedWindow: z.strictObject({ start: Instant, end: Instant }) })
  .meta({ id: 'RenewalWindow' });
