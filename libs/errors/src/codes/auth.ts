/** Who is asking, and may they: TLS, denylist, token, scope, role. */
import type { CodeTable } from '../code-entry.js';

export const AUTH_CODES = {
  'tls.certificate_required': { status: 401, title: 'A client certificate is required here.', retry: 'changed' },
  'tls.certificate_invalid': { status: 401, title: 'The client certificate is not acceptable here.', retry: 'changed' },
  'tls.certificate_expired': { status: 401, title: 'The client certificate has expired.', retry: 'changed' },
  'tls.too_many_connections': { status: 429, title: 'Too many connections of one address, or of all.', retry: 'later' },
  'tls.handshake_failed': { status: 401, title: 'The TLS handshake failed.', retry: 'changed' },
  'denylist.certificate': { status: 403, title: 'The certificate is out of service.', retry: 'never' },
  'denylist.key': { status: 403, title: 'The public key is out of service.', retry: 'never' },
  'denylist.device': { status: 403, title: 'The device is out of service.', retry: 'never' },
  'denylist.token': { status: 401, title: 'The token is out of service.', retry: 'changed' },
  'denylist.network': { status: 403, title: 'The network is out of service.', retry: 'never' },
  'revocation.stale': { status: 503, title: 'The revocation feed is too old to decide on.', retry: 'later' },
  'auth.token_missing': { status: 401, title: 'An access token is required.', retry: 'changed' },
  'auth.token_invalid': { status: 401, title: 'The access token is not acceptable.', retry: 'changed' },
  'auth.token_expired': { status: 401, title: 'The access token has expired.', retry: 'changed' },
  'auth.token_binding_mismatch': {
    status: 401,
    title: 'The access token is bound to another certificate.',
    retry: 'changed',
  },
  'auth.token_superseded': {
    status: 401,
    title: 'The access token is bound to another certificate of this vehicle: ask for another token.',
    retry: 'changed',
  },
  'auth.token_in_query': {
    status: 400,
    title: 'An access token is never taken from the query.',
    retry: 'changed',
  },
  'auth.dpop_required': {
    status: 401,
    title: 'The access token is used with a DPoP proof alone.',
    retry: 'changed',
  },
  'auth.dpop_invalid': { status: 401, title: 'The DPoP proof is not acceptable.', retry: 'changed' },
  'auth.dpop_nonce': { status: 401, title: 'The DPoP proof needs the nonce of this answer.', retry: 'changed' },
  'auth.dpop_replayed': { status: 401, title: 'The DPoP proof has been used before.', retry: 'changed' },
  'auth.forwarded_certificate_invalid': {
    status: 400,
    title: 'The client certificate that a proxy forwarded is not acceptable.',
    retry: 'never',
  },
  'auth.scope_insufficient': { status: 403, title: 'The access token lacks the scope.', retry: 'changed' },
  'auth.wrong_device': {
    status: 403,
    title: 'The token, the certificate and the request name different devices.',
    retry: 'never',
  },
  'auth.role_insufficient': { status: 403, title: 'The operator lacks the role.', retry: 'changed' },
  'auth.step_up_required': {
    status: 401,
    title: 'This needs a stronger or a fresher sign-in.',
    retry: 'changed',
  },
  'auth.client_cert_header_ignored': {
    status: 400,
    title: 'A Client-Cert header from a peer that is no configured proxy was ignored.',
    retry: 'never',
  },
} as const satisfies CodeTable;
