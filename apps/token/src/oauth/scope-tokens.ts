/** Decides whether a `scope` parameter is a list of scope-tokens. */
import { DomainError } from '@outrider/errors';

/** The scope-tokens of a `scope` parameter, once each (RFC 6749 §3.3: single spaces). @throws DomainError `token.invalid_scope` */
export function scopeTokens(scope: string): string[] {
  if (scope.length > 512 || !/^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/.test(scope)) {
    throw new DomainError('token.invalid_scope', { detail: 'scope is not a list of scope-tokens' });
  }
  return [...new Set(scope.split(' '))];
}
