/** How findings about identities look in answers. */
import { Instant, page } from '@outrider/contracts';
import { DeviceId, Thumbprint } from '@outrider/ids';
import { z } from 'zod';

export const IdentityFindingPage = page(
  z.strictObject({
    id: z.string(),
    kind: z.enum([
      'key_reused',
      'identity_in_two_places',
      'overlapping_renewals',
      'factory_certificate_while_live',
      'revoked_identity_used',
    ]),
    device_id: DeviceId,
    certain: z.boolean(),
    quarantined: z.boolean(),
    label: z.string(),
    thumbprints: z.array(Thumbprint),
    remote_addresses: z.array(z.string()),
    detail: z.string(),
    at: Instant,
  }),
).meta({ id: 'IdentityFindingPage' });
