/** What the authorization server says of itself (RFC 8414 §2, RFC 8705 §3.3 and §5): only what is built. */
import { OPERATOR_SCOPES } from '../operator-token/roles.js';
import { VEHICLE_SCOPES } from '../vehicle-token/scope.js';

/** URLs without a trailing slash: the issuer, which is the vehicle listener, and the operator listener. */
export interface MetadataUrls {
  readonly issuer: string;
  readonly operatorUrl: string;
}

export interface TokenEndpoints {
  readonly vehicle: string;
  readonly operator: string;
}

export function tokenEndpoints({ issuer, operatorUrl }: MetadataUrls): TokenEndpoints {
  return { vehicle: `${issuer}/oauth2/token`, operator: `${operatorUrl}/oauth2/token` };
}

/** The document. Clients with a certificate use the mTLS alias, as RFC 8705 §5 has it; operators the plain endpoint. */
export function authorizationServerMetadata(urls: MetadataUrls) {
  const endpoints = tokenEndpoints(urls);
  return {
    issuer: urls.issuer,
    token_endpoint: endpoints.operator,
    mtls_endpoint_aliases: { token_endpoint: endpoints.vehicle },
    jwks_uri: `${urls.issuer}/oauth2/jwks`,
    grant_types_supported: ['client_credentials'],
    response_types_supported: [],
    token_endpoint_auth_methods_supported: ['tls_client_auth', 'private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['ES256'],
    tls_client_certificate_bound_access_tokens: true,
    scopes_supported: [...VEHICLE_SCOPES, ...OPERATOR_SCOPES],
  } as const;
}
