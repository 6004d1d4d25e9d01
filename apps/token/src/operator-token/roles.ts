/** Decides which scopes an operator's roles carry, and which of them a token gets. */
import { DomainError } from '@outrider/errors';
import { scopeTokens } from '../oauth/scope-tokens.js';

export const OPERATOR_SCOPES = [
  'fleet:read',
  'fleet:write',
  'command:send',
  'revoke',
  'block',
  'decisions:read',
  'policy:read',
  'policy:write',
  /** Asks about anyone's token (RFC 7662). */
  'token:introspect',
] as const;
export type OperatorScope = (typeof OPERATOR_SCOPES)[number];

const SCOPES_OF_ROLE = {
  admin: OPERATOR_SCOPES,
  viewer: ['fleet:read', 'decisions:read', 'policy:read'],
  dispatcher: ['fleet:read', 'command:send'],
  security: ['fleet:read', 'decisions:read', 'revoke', 'block', 'policy:read', 'token:introspect'],
  /** A service of the platform that takes our tokens and does not verify them itself. */
  'resource-server': ['token:introspect'],
} as const satisfies Readonly<Record<string, readonly OperatorScope[]>>;

export const ROLES = Object.keys(SCOPES_OF_ROLE) as Role[];
export type Role = keyof typeof SCOPES_OF_ROLE;

export function isRole(name: string): name is Role {
  return Object.hasOwn(SCOPES_OF_ROLE, name);
}

/** Whether a role of the account carries the scope. */
export function carries(roles: readonly string[], scope: OperatorScope): boolean {
  return roles.filter(isRole).some((role) => (SCOPES_OF_ROLE[role] as readonly OperatorScope[]).includes(scope));
}

/**
 * The scopes of a token, in the order of OPERATOR_SCOPES: those asked for, or all that the roles carry. A role of the database that is
 * none of ours carries nothing.
 * @throws DomainError `token.invalid_scope` for a scope that no role of the account carries, and for an account without any
 */
export function operatorScopes(roles: readonly string[], asked: string | undefined): OperatorScope[] {
  const carried = new Set<string>(roles.filter(isRole).flatMap((role) => SCOPES_OF_ROLE[role]));
  const wanted = asked === undefined ? carried : new Set(scopeTokens(asked));
  for (const scope of wanted) {
    if (!carried.has(scope))
      throw new DomainError('token.invalid_scope', { detail: 'no role of the account has this scope' });
  }
  const granted = OPERATOR_SCOPES.filter((scope) => wanted.has(scope));
  if (granted.length === 0)
    throw new DomainError('token.invalid_scope', { detail: 'the account has no role with a scope' });
  return granted;
}
