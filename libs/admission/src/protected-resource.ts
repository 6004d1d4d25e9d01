/** What a service says of itself to whoever wants a token for it (RFC 9728), and where its challenges point to that. */
import { DPOP_ALGORITHMS } from './dpop-key.js';

export const PROTECTED_RESOURCE_PATH = '/.well-known/oauth-protected-resource';

/** `resource`: the listener's public URL, without a trailing slash. `scopes`: any that a route asks for. */
export interface ProtectedResource {
  readonly resource: string;
  readonly tokenIssuer: string;
  readonly scopes: readonly string[];
  readonly takesDpop: boolean;
}

/**
 * The metadata (RFC 9728 §2). `outrider_audience` is the `aud` of tokens for this resource: our audiences are URNs, which stay when
 * an address changes, while a resource's identifier has to be where its metadata is found.
 */
export function protectedResourceMetadata(
  { resource, tokenIssuer, scopes, takesDpop }: ProtectedResource,
  audience: string,
) {
  return {
    resource,
    authorization_servers: [tokenIssuer],
    scopes_supported: [...new Set(scopes)].sort(),
    bearer_methods_supported: ['header'],
    tls_client_certificate_bound_access_tokens: true,
    ...(takesDpop ? { dpop_signing_alg_values_supported: [...DPOP_ALGORITHMS] } : {}),
    outrider_audience: audience,
  };
}

/** A `WWW-Authenticate` value with `resource_metadata` in each of its Bearer and DPoP challenges (RFC 9728 §5.1). */
export function withResourceMetadata(challenges: string, resource: string): string {
  const url = `${resource}${PROTECTED_RESOURCE_PATH}`;
  return challenges.replaceAll(/\b(Bearer|DPoP) realm="outrider"/g, `$1 realm="outrider", resource_metadata="${url}"`);
}
