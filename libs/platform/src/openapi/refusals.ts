/** What a route may refuse with: by its kind, and by what it says of itself. */
import { CODES, type ErrorCode } from '@outrider/errors';
import type { Route, Rule } from './route.js';

const ANY: readonly ErrorCode[] = ['request.malformed', 'service.internal', 'service.unavailable'];
const VEHICLE: readonly ErrorCode[] = [
  'tls.certificate_required',
  'tls.certificate_invalid',
  'tls.certificate_expired',
  'denylist.certificate',
  'denylist.key',
  'denylist.device',
  'denylist.network',
  'revocation.stale',
  'auth.forwarded_certificate_invalid',
];
const OPERATOR: readonly ErrorCode[] = [
  'auth.token_missing',
  'auth.token_invalid',
  'auth.token_expired',
  'auth.token_in_query',
  'auth.scope_insufficient',
  'denylist.token',
  'denylist.network',
];
const TOKEN: readonly ErrorCode[] = [
  ...VEHICLE,
  'auth.token_missing',
  'auth.token_invalid',
  'auth.token_expired',
  'auth.token_in_query',
  'auth.token_binding_mismatch',
  'auth.token_superseded',
  'auth.dpop_required',
  'auth.dpop_invalid',
  'auth.dpop_nonce',
  'auth.dpop_replayed',
  'auth.scope_insufficient',
  'auth.wrong_device',
  'denylist.token',
];

/** Codes, sorted. */
export function refusalsOf({ rule, inputs, listener, path, description }: Route): ErrorCode[] {
  const codes = new Set<ErrorCode>([...ANY, ...(description.problems ?? [])]);
  const add = (more: readonly ErrorCode[]) => {
    for (const code of more) codes.add(code);
  };
  const takesBody = description.body !== undefined || inputs.some((input) => input.in === 'body');
  add(['request.unsupported_media_type', 'request.too_large']);
  if (takesBody || inputs.length > 0) add(['request.invalid']);
  // A segment longer than any name is no route's.
  if (path.includes(':')) add(['request.not_found']);
  if (rule.kind === 'anyone' && listener !== 'http') add(['denylist.network']);
  if (rule.kind === 'anyone' && listener === 'vehicle') add(VEHICLE);
  if (rule.kind === 'certificate') add(VEHICLE);
  if (rule.kind === 'token') add(TOKEN);
  if (rule.kind === 'operator') add(OPERATOR);
  if (isLimited(rule)) add(['request.too_many']);
  if (rule.kind === 'operator' && Object.keys(rule.stepUp).length > 0) add(['auth.step_up_required']);
  return [...codes].sort();
}

/** Counts against its account's rate, and says so in each answer. */
export function isLimited(rule: Rule): boolean {
  return rule.kind === 'operator' && !rule.unlimited;
}

/** Codes by the status of their answer. */
export function byStatus(codes: readonly ErrorCode[]): ReadonlyMap<number, readonly ErrorCode[]> {
  const found = new Map<number, ErrorCode[]>();
  for (const code of codes) found.set(CODES[code].status, [...(found.get(CODES[code].status) ?? []), code]);
  return new Map([...found].sort(([a], [b]) => a - b));
}

/** The same for OAuth's endpoints, which have fewer statuses (RFC 6749 §5.2). */
export function byOAuthStatus(codes: readonly ErrorCode[]): ReadonlyMap<number, readonly ErrorCode[]> {
  const found = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const status = oauthStatus(code);
    found.set(status, [...(found.get(status) ?? []), code]);
  }
  return new Map([...found].sort(([a], [b]) => a - b));
}

function oauthStatus(code: ErrorCode): number {
  const { status } = CODES[code];
  if (code === 'token.invalid_client' || /^(?:tls|denylist|auth)\./.test(code)) return 401;
  if (status >= 500) return status === 503 ? 503 : 500;
  return status === 413 || status === 429 ? status : 400;
}
