/** The rights that an operator's token may carry: those that roles hold, and those that come by elevation alone. */

/** Held by roles. */
export const STANDING_SCOPES = [
  'device:read',
  'device:write',
  'command:send',
  'gateway:block',
  'ca:revoke',
  'evidence:read',
  'policy:read',
  'operator:read',
  'operator:write',
  'elevation:request',
  'elevation:approve',
  /** Asks about anyone's token (RFC 7662). */
  'token:introspect',
] as const;
export type StandingScope = (typeof STANDING_SCOPES)[number];

/** Never standing: an elevation gives one of them, for a reason and for a time. */
export const ELEVATED_SCOPES = ['command:send-critical', 'ca:revoke-bulk', 'policy:write'] as const;
export type ElevatedScope = (typeof ELEVATED_SCOPES)[number];

/** Held by nobody's role: every person's token carries it, and one of a password alone carries nothing else. Over oneself alone. */
export const PERSONAL_SCOPES = ['self:enrol'] as const;
export type PersonalScope = (typeof PERSONAL_SCOPES)[number];

export const OPERATOR_SCOPES = [...STANDING_SCOPES, ...ELEVATED_SCOPES] as const;
export type OperatorScope = StandingScope | ElevatedScope | PersonalScope;

const STANDING: ReadonlySet<string> = new Set(STANDING_SCOPES);
const ELEVATED: ReadonlySet<string> = new Set(ELEVATED_SCOPES);
const PERSONAL: ReadonlySet<string> = new Set(PERSONAL_SCOPES);

export function isOperatorScope(text: string): text is OperatorScope {
  return STANDING.has(text) || ELEVATED.has(text) || PERSONAL.has(text);
}

export function isElevatedScope(text: string): text is ElevatedScope {
  return ELEVATED.has(text);
}
