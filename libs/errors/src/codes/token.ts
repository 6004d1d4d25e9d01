/** The authorization server. OAuth's own error names (RFC 6749 §5.2) come from `oauthError`. */
import type { CodeTable } from '../code-entry.js';

export const TOKEN_CODES = {
  'token.invalid_request': { status: 400, title: 'The token request is malformed.', retry: 'changed' },
  'token.invalid_client': { status: 401, title: 'The client could not be authenticated.', retry: 'changed' },
  'token.invalid_dpop_proof': { status: 400, title: 'The DPoP proof is not acceptable.', retry: 'changed' },
  'token.use_dpop_nonce': { status: 400, title: 'The DPoP proof needs the nonce of this answer.', retry: 'changed' },
  'token.invalid_grant': { status: 400, title: 'The grant is invalid.', retry: 'changed' },
  'token.unauthorized_client': { status: 400, title: 'The client may not use this grant.', retry: 'changed' },
  'token.unsupported_grant_type': { status: 400, title: 'The grant type is not supported.', retry: 'never' },
  'token.invalid_scope': { status: 400, title: 'The scope is unknown, mixed or not granted.', retry: 'changed' },
  'token.invalid_target': {
    status: 400,
    title: 'The resource is unknown or does not fit the scope.',
    retry: 'changed',
  },
} as const satisfies CodeTable;
