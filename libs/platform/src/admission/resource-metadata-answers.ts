/** How a protected resource looks (RFC 9728 §2). */
import { z } from 'zod';

export const ProtectedResource = z
  .strictObject({
    resource: z.url(),
    authorization_servers: z.array(z.url()),
    scopes_supported: z.array(z.string()),
    bearer_methods_supported: z.array(z.string()),
    tls_client_certificate_bound_access_tokens: z.boolean(),
    dpop_signing_alg_values_supported: z.array(z.string()).optional(),
    outrider_audience: z.string(),
  })
  .meta({ id: 'ProtectedResource' });
