/** Renders the `WWW-Authenticate` challenge of a refusal (RFC 6750 §3, RFC 8705 §3, RFC 9470 §3). */
import { CODES, type ErrorCode } from '@outrider/errors';
import type { StepUp } from './operator-authentication.js';

/** `undefined` where a challenge has no place: refusals that another token would not cure. `scopes`, `stepUp`: what the route asks for. */
export function challenge(code: ErrorCode, scopes: readonly string[] = [], stepUp: StepUp = {}): string | undefined {
  // RFC 6750 §3.1: a request without any authentication is told the scheme and no error.
  if (code === 'auth.token_missing') return parameters({ realm: 'outrider', ...scopeOf(scopes) });
  // RFC 6750 §3.1: a request that sends its token in a way that is not taken.
  if (code === 'auth.token_in_query') {
    return parameters({ realm: 'outrider', error: 'invalid_request', error_description: CODES[code].title });
  }
  if (code === 'auth.scope_insufficient') {
    return parameters({ realm: 'outrider', error: 'insufficient_scope', ...scopeOf(scopes) });
  }
  if (code === 'auth.step_up_required') {
    return parameters({
      realm: 'outrider',
      error: 'insufficient_user_authentication',
      error_description: CODES[code].title,
      ...(stepUp.acr === undefined ? {} : { acr_values: stepUp.acr }),
      ...(stepUp.maxAgeSeconds === undefined ? {} : { max_age: String(stepUp.maxAgeSeconds) }),
    });
  }
  if (CODES[code].status !== 401) return undefined;
  return parameters({ realm: 'outrider', error: 'invalid_token', error_description: CODES[code].title });
}

function scopeOf(scopes: readonly string[]): Record<string, string> {
  return scopes.length > 0 ? { scope: scopes.join(' ') } : {};
}

function parameters(values: Readonly<Record<string, string>>): string {
  return `Bearer ${Object.entries(values)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}`;
}

/** The token of an `Authorization` header of the Bearer scheme (RFC 6750 §2.1); undefined for none and for anything else. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(authorization ?? '')?.[1];
}
