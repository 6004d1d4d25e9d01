/** Decides how a failure looks in OAuth's own words: error name, status and headers (RFC 6749 §5.2), with our code beside them. */
import type { DomainError, ErrorCode } from '@outrider/errors';

export interface OAuthError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly error: string; readonly error_description: string; readonly code: ErrorCode };
}

/** How the clients of a listener authenticate: the challenge that RFC 9110 §15.5.2 wants beside a 401. */
export type ClientAuthentication = 'tls_client_auth' | 'private_key_jwt';

/** Clients and caches must not keep any answer of the token endpoint (RFC 6749 §5.1). */
export const NO_STORE = { 'cache-control': 'no-store', pragma: 'no-cache' } as const;

const DEFAULT_RETRY_SECONDS = 1;

/** The answer for a failure at the token endpoint. */
export function oauthError(error: DomainError, authentication: ClientAuthentication): OAuthError {
  const { name, status } = nameOf(error);
  return {
    status,
    headers: {
      ...NO_STORE,
      ...(status === 401 ? { 'www-authenticate': `${authentication} realm="outrider"` } : {}),
      ...(status === 503 ? { 'retry-after': String(Math.ceil(error.retryAfterSeconds ?? DEFAULT_RETRY_SECONDS)) } : {}),
    },
    body: { error: name, error_description: describe(error.detail ?? error.title), code: error.code },
  };
}

function nameOf({ code, status }: DomainError): { name: string; status: number } {
  if (code === 'token.invalid_client') return { name: 'invalid_client', status: 401 };
  if (code.startsWith('token.')) return { name: code.slice('token.'.length), status: 400 };
  // Not invalid_scope, after which a client would ask for less: the same request may be allowed later. RFC 8628 §3.5 registered the
  // name for this endpoint; the status is that of RFC 6749 §5.2.
  if (code === 'policy.denied') return { name: 'access_denied', status: 400 };
  // A client whose certificate is missing, bad or out of service is a client that could not be authenticated.
  if (/^(?:tls|denylist|auth)\./.test(code)) return { name: 'invalid_client', status: 401 };
  if (status === 503) return { name: 'temporarily_unavailable', status };
  if (status >= 500) return { name: 'server_error', status: 500 };
  return { name: 'invalid_request', status: status === 413 || status === 429 ? status : 400 };
}

/** RFC 6749 §5.2 allows %x20-21 / %x23-5B / %x5D-7E. */
function describe(text: string): string {
  return text.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, "'").slice(0, 300);
}
