/** Which live elevation a token request uses. */
import { isElevatedScope } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { scopeTokens } from '../oauth/scope-tokens.js';
import { mayRequest } from '../operator-token/roles.js';
import { type Elevation, stateOf } from './elevation.js';

/**
 * The elevation that gives the elevated scope asked for: of several the one that ends last; undefined where none is asked for. A role
 * that was taken since takes what it could be elevated to along.
 * @throws DomainError `token.invalid_scope` where nothing gives it, and where two are asked for: a token carries one elevation
 */
export function elevationFor(
  asked: string | undefined,
  elevations: readonly Elevation[],
  roles: readonly string[],
  now: Date,
): Elevation | undefined {
  const elevated = asked === undefined ? [] : scopeTokens(asked).filter(isElevatedScope);
  const [scope, another] = [...new Set(elevated)];
  if (scope === undefined) return undefined;
  if (another !== undefined) throw new DomainError('token.invalid_scope', { detail: 'one elevated scope a token' });
  const live = elevations
    .filter((one) => one.scope === scope && mayRequest(roles, scope) && stateOf(one, now) === 'approved')
    .toSorted((a, b) => (b.endsAt?.getTime() ?? 0) - (a.endsAt?.getTime() ?? 0));
  const [chosen] = live;
  if (!chosen) throw new DomainError('token.invalid_scope', { detail: `no elevation to ${scope} is in force` });
  return chosen;
}
