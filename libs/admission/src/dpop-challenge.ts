/** Renders the `WWW-Authenticate: DPoP` challenge of a refusal, and reads the scheme that a request uses (RFC 9449 §7.1, §7.2). */
import { CODES, type ErrorCode } from '@outrider/errors';
import { DPOP_ALGORITHMS } from './dpop-key.js';

/** How an access token was sent. */
export interface PresentedToken {
  readonly scheme: 'Bearer' | 'DPoP';
  readonly token: string;
}

/** Undefined for no Authorization header, and for any other scheme or form of it. */
export function presentedToken(authorization: string | undefined): PresentedToken | undefined {
  const [, scheme, token] = /^(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*)$/i.exec(authorization ?? '') ?? [];
  if (scheme === undefined || token === undefined) return undefined;
  return { scheme: scheme.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer', token };
}

/** Undefined where no other proof or token would cure the refusal. `scopes`: what the route asks for. */
export function dpopChallenge(code: ErrorCode, scopes: readonly string[] = []): string | undefined {
  if (code === 'auth.scope_insufficient') return render({ error: 'insufficient_scope', scope: scopes.join(' ') });
  if (CODES[code].status !== 401) return undefined;
  if (code === 'auth.token_missing') return render(scopes.length > 0 ? { scope: scopes.join(' ') } : {});
  return render({ error: ERRORS[code] ?? 'invalid_token', error_description: CODES[code].title });
}

const ERRORS: Partial<Record<ErrorCode, string>> = {
  'auth.dpop_nonce': 'use_dpop_nonce',
  'auth.dpop_invalid': 'invalid_dpop_proof',
  'auth.dpop_replayed': 'invalid_dpop_proof',
};

function render(values: Readonly<Record<string, string>>): string {
  const all = { realm: 'outrider', ...values, algs: DPOP_ALGORITHMS.join(' ') };
  return `DPoP ${Object.entries(all)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}`;
}
