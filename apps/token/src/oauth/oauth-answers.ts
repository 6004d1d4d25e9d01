/** What OAuth's endpoints take and answer: RFC 6749, RFC 7662, RFC 8414, RFC 9068. */
import { z } from 'zod';

export const AccessToken = z
  .strictObject({
    access_token: z.string(),
    token_type: z.enum(['Bearer', 'DPoP']),
    expires_in: z.int(),
    scope: z.string(),
    refresh_token: z.string().optional(),
  })
  .meta({ id: 'AccessToken' });

/** RFC 7662 §2.2: nothing but `active: false` of a token that is worth nothing; else its claims. */
export const TokenIntrospection = z
  .union([
    z.strictObject({ active: z.literal(false) }),
    z.looseObject({
      active: z.literal(true),
      token_type: z.enum(['Bearer', 'DPoP']),
      iss: z.string(),
      sub: z.string(),
      client_id: z.string(),
      aud: z.string(),
      scope: z.string(),
      iat: z.int(),
      exp: z.int(),
      jti: z.string(),
    }),
  ])
  .meta({ id: 'TokenIntrospection' });

/** RFC 8414 §2. */
export const AuthorizationServer = z
  .looseObject({
    issuer: z.url(),
    token_endpoint: z.url(),
    introspection_endpoint: z.url(),
    revocation_endpoint: z.url(),
    jwks_uri: z.url(),
    grant_types_supported: z.array(z.string()),
    response_types_supported: z.array(z.string()),
    scopes_supported: z.array(z.string()),
    token_endpoint_auth_methods_supported: z.array(z.string()),
    mtls_endpoint_aliases: z.strictObject({ token_endpoint: z.url(), revocation_endpoint: z.url() }),
  })
  .meta({ id: 'AuthorizationServer' });

const assertion = {
  client_assertion_type: z.string().optional(),
  client_assertion: z.string().optional().describe('Of an operator: RFC 7523, signed with the account’s key.'),
  client_id: z.string().optional(),
} as const;

export const TokenRequest = z
  .looseObject({
    grant_type: z.string(),
    scope: z.string().optional(),
    resource: z.string().optional(),
    refresh_token: z.string().optional(),
    elevation: z.string().optional(),
    ...assertion,
  })
  .meta({ id: 'TokenRequest' });

/** RFC 7662 §2.1, RFC 7009 §2.1. */
export const TokenQuestion = z
  .looseObject({ token: z.string(), token_type_hint: z.string().optional(), ...assertion })
  .meta({ id: 'TokenQuestion' });

export const FORM_TYPES = ['application/x-www-form-urlencoded'] as const;
