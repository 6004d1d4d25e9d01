import { expect, it, test } from '@jest/globals';
import { CODES, DomainError, type ErrorCode } from '@outrider/errors';
import { oauthError } from './oauth-error.js';

test.each<[ErrorCode, number, string]>([
  ['token.invalid_request', 400, 'invalid_request'],
  ['token.invalid_client', 401, 'invalid_client'],
  ['token.unauthorized_client', 400, 'unauthorized_client'],
  ['token.unsupported_grant_type', 400, 'unsupported_grant_type'],
  ['token.invalid_scope', 400, 'invalid_scope'],
  ['token.invalid_target', 400, 'invalid_target'],
  ['policy.denied', 400, 'access_denied'],
  ['policy.unavailable', 503, 'temporarily_unavailable'],
  ['tls.certificate_required', 401, 'invalid_client'],
  ['tls.certificate_expired', 401, 'invalid_client'],
  ['denylist.device', 401, 'invalid_client'],
  ['denylist.network', 401, 'invalid_client'],
  ['revocation.stale', 503, 'temporarily_unavailable'],
  ['service.unavailable', 503, 'temporarily_unavailable'],
  ['service.upstream_unavailable', 503, 'temporarily_unavailable'],
  ['service.upstream_invalid', 500, 'server_error'],
  ['service.internal', 500, 'server_error'],
  ['request.unsupported_media_type', 400, 'invalid_request'],
  ['request.too_large', 413, 'invalid_request'],
])('%s -> %d %s', (code, status, error) => {
  const answer = oauthError(new DomainError(code), 'tls_client_auth');
  expect(answer).toMatchObject({ status, body: { error, code } });
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(answer.headers['www-authenticate']).toBe(status === 401 ? 'tls_client_auth realm="outrider"' : undefined);
  expect(answer.headers['retry-after'] !== undefined).toBe(status === 503);
});

it('passes on when to try again', () => {
  const error = new DomainError('service.unavailable', { retryAfterSeconds: 2.5 });
  expect(oauthError(error, 'private_key_jwt').headers['retry-after']).toBe('3');
});

it('describes in the characters RFC 6749 §5.2 allows, whatever the code or detail', () => {
  const allowed = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/;
  for (const code of Object.keys(CODES) as ErrorCode[]) {
    expect(oauthError(new DomainError(code), 'tls_client_auth').body.error_description).toMatch(allowed);
  }
  const odd = new DomainError('token.invalid_scope', { detail: 'é"\\\n'.repeat(200) });
  expect(oauthError(odd, 'tls_client_auth').body.error_description).toMatch(/^'{300}$/);
});
