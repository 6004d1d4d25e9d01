/** Who is asking, and may they: TLS, denylist, token, scope, role. */
import type { CodeTable } from '../code-entry.js';

export const AUTH_CODES = {
  'tls.certificate_required': { status: 401, title: 'A client certificate is required here.', retry: 'changed' },
  'tls.certificate_invalid': { status: 401, title: 'The client certificate is not acceptable here.', retry: 'changed' },
  'tls.certificate_expired': { status: 401, title: 'The client certificate has expired.', retry: 'changed' },
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
  'auth.scope_insufficient': { status: 403, title: 'The access token lacks the scope.', retry: 'changed' },
  'auth.wrong_device': {
    status: 403,
    title: 'The token, the certificate and the request name different devices.',
    retry: 'never',
  },
  'auth.role_insufficient': { status: 403, title: 'The operator lacks the role.', retry: 'changed' },
  'auth.client_cert_header_ignored': {
    status: 400,
    title: 'A Client-Cert header from a peer that is no configured proxy was ignored.',
    retry: 'never',
  },
} as const satisfies CodeTable;
