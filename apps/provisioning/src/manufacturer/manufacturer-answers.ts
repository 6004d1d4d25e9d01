/** How manufacturers look in answers. */
import { Instant } from '@outrider/contracts';
import { Thumbprint } from '@outrider/ids';
import { z } from 'zod';

export const Manufacturer = z
  .strictObject({
    name: z.string(),
    authorities: z.array(z.strictObject({ subject: z.string(), thumbprint: Thumbprint, not_after: Instant })),
    created_at: Instant,
    changed_at: Instant,
  })
  .meta({ id: 'Manufacturer' });

export const ManufacturerList = z
  .strictObject({ items: z.array(Manufacturer), next: z.null() })
  .meta({ id: 'ManufacturerList' });
