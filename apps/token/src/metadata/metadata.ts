/** What the authorization server says of itself (RFC 8414 §2, RFC 8705 §3.3 and §5): only what is built. */
import { DPOP_ALGORITHMS, OPERATOR_SCOPES } from '@outrider/admission';
import { OFFLINE_SCOPE, REFRESH_SECONDS } from '../refresh/decide-refresh.js';
import { OWN_SCOPES } from '../vehicle-token/scope.js';

/** URLs without a trailing slash: the issuer, which is the vehicle listener, and the operator listener. */
export interface MetadataUrls {
  readonly issuer: string;
  readonly operatorUrl: string;
  readonly takesDpop?: boolean;
  /** That vehicles may ask for; default ours alone. */
  readonly vehicleScopes?: readonly string[];
}

/** The endpoints that a client authenticates at. */
export interface Endpoints {
  readonly token: string;
  readonly introspection: string;
  readonly revocation: string;
}

/** By listener: with a certificate on the vehicles', by assertion on the operators'. Vehicles introspect nothing. */
export function endpointsOf({ issuer, operatorUrl }: MetadataUrls): {
  readonly vehicle: Omit<Endpoints, 'introspection'>;
  readonly operator: Endpoints;
} {
  return {
    vehicle: { token: `${issuer}/oauth2/token`, revocation: `${issuer}/oauth2/revoke` },
    operator: {
      token: `${operatorUrl}/oauth2/token`,
      introspection: `${operatorUrl}/oauth2/introspect`,
      revocation: `${operatorUrl}/oauth2/revoke`,
    },
  };
}

const CLIENT_AUTHENTICATION = ['tls_client_auth', 'private_key_jwt'] as const;

/** The document. Clients with a certificate use the mTLS aliases, as RFC 8705 §5 has it; operators the plain endpoints. */
export function authorizationServerMetadata(urls: MetadataUrls) {
  const { vehicle, operator } = endpointsOf(urls);
  return {
    issuer: urls.issuer,
    token_endpoint: operator.token,
    introspection_endpoint: operator.introspection,
    revocation_endpoint: operator.revocation,
    mtls_endpoint_aliases: { token_endpoint: vehicle.token, revocation_endpoint: vehicle.revocation },
    jwks_uri: `${urls.issuer}/oauth2/jwks`,
    grant_types_supported: ['client_credentials', 'refresh_token'],
    // Who may have a refresh token: RFC 8414 has no member that says so.
    outrider_refresh_tokens: {
      clients: 'vehicles attested in hardware',
      scope: OFFLINE_SCOPE,
      seconds: REFRESH_SECONDS,
    },
    response_types_supported: [],
    token_endpoint_auth_methods_supported: CLIENT_AUTHENTICATION,
    token_endpoint_auth_signing_alg_values_supported: ['ES256'],
    introspection_endpoint_auth_methods_supported: ['private_key_jwt'],
    introspection_endpoint_auth_signing_alg_values_supported: ['ES256'],
    revocation_endpoint_auth_methods_supported: CLIENT_AUTHENTICATION,
    revocation_endpoint_auth_signing_alg_values_supported: ['ES256'],
    tls_client_certificate_bound_access_tokens: true,
    ...(urls.takesDpop ? { dpop_signing_alg_values_supported: DPOP_ALGORITHMS } : {}),
    scopes_supported: [...(urls.vehicleScopes ?? OWN_SCOPES.scopes), OFFLINE_SCOPE, ...OPERATOR_SCOPES],
  } as const;
}
