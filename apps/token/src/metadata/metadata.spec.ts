import { expect, it } from '@jest/globals';
import { OPERATOR_SCOPES } from '@outrider/admission';
import { authorizationServerMetadata } from './metadata.js';

it('says what is built, and nothing else', () => {
  expect(authorizationServerMetadata({ issuer: 'https://a:8442', operatorUrl: 'https://a:9442' })).toEqual({
    issuer: 'https://a:8442',
    token_endpoint: 'https://a:9442/oauth2/token',
    introspection_endpoint: 'https://a:9442/oauth2/introspect',
    revocation_endpoint: 'https://a:9442/oauth2/revoke',
    mtls_endpoint_aliases: {
      token_endpoint: 'https://a:8442/oauth2/token',
      revocation_endpoint: 'https://a:8442/oauth2/revoke',
    },
    jwks_uri: 'https://a:8442/oauth2/jwks',
    grant_types_supported: ['client_credentials', 'refresh_token'],
    outrider_refresh_tokens: { clients: 'vehicles attested in hardware', scope: 'offline_access', seconds: 86_400 },
    response_types_supported: [],
    token_endpoint_auth_methods_supported: ['tls_client_auth', 'private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['ES256'],
    introspection_endpoint_auth_methods_supported: ['private_key_jwt'],
    introspection_endpoint_auth_signing_alg_values_supported: ['ES256'],
    revocation_endpoint_auth_methods_supported: ['tls_client_auth', 'private_key_jwt'],
    revocation_endpoint_auth_signing_alg_values_supported: ['ES256'],
    tls_client_certificate_bound_access_tokens: true,
    scopes_supported: [
      'telemetry:write',
      'telemetry:backfill',
      'command:receive',
      'command:critical',
      'offline_access',
      ...OPERATOR_SCOPES,
    ],
  });
});

it('names the algorithms of DPoP proofs where these are taken (RFC 9449 §5.1)', () => {
  const metadata = authorizationServerMetadata({ issuer: 'https://a', operatorUrl: 'https://b', takesDpop: true });
  expect(metadata).toMatchObject({ dpop_signing_alg_values_supported: ['ES256', 'ES384', 'EdDSA'] });
});
