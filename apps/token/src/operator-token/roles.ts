/** Decides which scopes an operator's roles carry, which of them a token gets, and which a role may ask to be elevated to. */
import {
  ELEVATED_SCOPES,
  type ElevatedScope,
  OPERATOR_SCOPES,
  type OperatorScope,
  STANDING_SCOPES,
  type StandingScope,
} from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { scopeTokens } from '../oauth/scope-tokens.js';

interface Rights {
  readonly holds: readonly StandingScope[];
  /** Never standing: an elevation may be asked for. */
  readonly mayRequest: readonly ElevatedScope[];
}

/** Who acts does not audit, and who audits does not act; `admin` holds all that can be held. */
const ROLE_RIGHTS = {
  viewer: { holds: ['device:read', 'policy:read'], mayRequest: [] },
  'fleet-operator': {
    holds: ['device:read', 'device:write', 'command:send', 'policy:read', 'operator:read', 'elevation:request'],
    mayRequest: ['command:send-critical'],
  },
  'security-operator': {
    holds: [
      'device:read',
      'gateway:block',
      'ca:revoke',
      'evidence:read',
      'policy:read',
      'operator:read',
      'elevation:request',
      'elevation:approve',
    ],
    mayRequest: ['ca:revoke-bulk', 'policy:write'],
  },
  'ca-operator': {
    holds: ['device:read', 'ca:revoke', 'operator:read', 'elevation:request'],
    mayRequest: ['ca:revoke-bulk'],
  },
  auditor: { holds: ['evidence:read', 'operator:read'], mayRequest: [] },
  admin: { holds: STANDING_SCOPES, mayRequest: ELEVATED_SCOPES },
  /** A service of another company: sends what the catalogue lets this role send, for as long as policies let it. */
  partner: { holds: ['device:read', 'command:send'], mayRequest: [] },
  /** A service of the platform that takes our tokens and does not verify them itself. */
  'resource-server': { holds: ['token:introspect'], mayRequest: [] },
} as const satisfies Readonly<Record<string, Rights>>;

export const ROLES = Object.keys(ROLE_RIGHTS) as Role[];
export type Role = keyof typeof ROLE_RIGHTS;

export function isRole(name: string): name is Role {
  return Object.hasOwn(ROLE_RIGHTS, name);
}

function rightsOf(roles: readonly string[]): Rights[] {
  return roles.filter(isRole).map((role) => ROLE_RIGHTS[role]);
}

/** Whether a role of the account carries the scope. */
export function carries(roles: readonly string[], scope: StandingScope): boolean {
  return rightsOf(roles).some(({ holds }) => holds.includes(scope));
}

/** Whether a role carries, or may be elevated to, something that none of these roles does. */
export function outreaches(role: string, roles: readonly string[]): boolean {
  return rightsOf([role]).some(
    ({ holds, mayRequest: scopes }) =>
      !holds.every((scope) => carries(roles, scope)) || !scopes.every((scope) => mayRequest(roles, scope)),
  );
}

/** Whether a role of the account lets it ask for an elevation to the scope. */
export function mayRequest(roles: readonly string[], scope: ElevatedScope): boolean {
  return rightsOf(roles).some(({ mayRequest: scopes }) => scopes.includes(scope));
}

/**
 * The scopes of a token, in the order of OPERATOR_SCOPES: those asked for, or all that the roles carry. A role of the database that is
 * none of ours carries nothing.
 * @param elevated scopes that the account's elevations give it now: had by asking alone.
 * @throws DomainError `token.invalid_scope` for a scope that the account does not have, and for an account without any
 */
export function operatorScopes(
  roles: readonly string[],
  asked: string | undefined,
  elevated: readonly ElevatedScope[] = [],
): OperatorScope[] {
  const carried = new Set<string>(rightsOf(roles).flatMap(({ holds }) => holds));
  const wanted = asked === undefined ? carried : new Set(scopeTokens(asked));
  const had = new Set<string>([...carried, ...elevated]);
  for (const scope of wanted) {
    if (!had.has(scope))
      throw new DomainError('token.invalid_scope', {
        detail: 'no role and no elevation of the account has this scope',
      });
  }
  const granted = OPERATOR_SCOPES.filter((scope) => wanted.has(scope));
  if (granted.length === 0)
    throw new DomainError('token.invalid_scope', { detail: 'the account has no role with a scope' });
  return granted;
}
