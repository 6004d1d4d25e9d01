/** Decides which scopes, family and audience a vehicle's token gets (RFC 6749 §3.3, RFC 8707 §2); one token never mixes families. */
import { vehicleAudience } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { scopeTokens } from '../oauth/scope-tokens.js';

export type ScopeFamily = 'telemetry' | 'control';

/** In the order a token lists them. */
const FAMILIES: Readonly<Record<ScopeFamily, { readonly scopes: readonly string[]; readonly audience: string }>> = {
  telemetry: { scopes: ['telemetry:write', 'telemetry:backfill'], audience: vehicleAudience('telemetry') },
  control: { scopes: ['command:receive', 'command:critical'], audience: vehicleAudience('command') },
};
const AUDIENCES: readonly string[] = Object.values(FAMILIES).map(({ audience }) => audience);

/** What a vehicle gets that asks for no scope. */
export const DEFAULT_SCOPE = 'telemetry:write';
/** For the metadata. */
export const VEHICLE_SCOPES: readonly string[] = Object.values(FAMILIES).flatMap(({ scopes }) => scopes);

export interface ScopeGrant {
  readonly family: ScopeFamily;
  /** Without duplicates, at least one. */
  readonly scopes: readonly string[];
  readonly audience: string;
}

/**
 * `scope`: space separated; `resource`: the service the token is for, default the family's.
 * @throws DomainError `token.invalid_scope` (unknown, mixed), `token.invalid_target`
 */
export function decideScope(scope: string = DEFAULT_SCOPE, resource?: string): ScopeGrant {
  const asked = scopeTokens(scope);
  const families = (Object.keys(FAMILIES) as ScopeFamily[]).filter((family) => holdsAny(family, asked));
  const known = asked.every((one) => VEHICLE_SCOPES.includes(one));
  if (!known) throw new DomainError('token.invalid_scope', { detail: 'a scope is unknown here' });
  const [family, other] = families;
  if (!family || other)
    throw new DomainError('token.invalid_scope', { detail: 'one token never mixes scope families' });
  const { scopes, audience } = FAMILIES[family];
  if (resource !== undefined && resource !== audience) throw invalidTarget(resource);
  return { family, scopes: scopes.filter((one) => asked.includes(one)), audience };
}

/** Each scope by itself, as most vehicles ask. */
const USUAL: ReadonlyMap<string, ScopeGrant> = new Map(VEHICLE_SCOPES.map((scope) => [scope, decideScope(scope)]));

/** What `decideScope` says of one scope alone, or of none; undefined for whatever takes reading. */
export function usualScope(scope: string = DEFAULT_SCOPE): ScopeGrant | undefined {
  return USUAL.get(scope);
}

function holdsAny(family: ScopeFamily, asked: readonly string[]): boolean {
  return FAMILIES[family].scopes.some((one) => asked.includes(one));
}

function invalidTarget(resource: string): DomainError {
  const detail = AUDIENCES.includes(resource)
    ? 'the resource does not take this scope'
    : 'the resource is unknown here';
  return new DomainError('token.invalid_target', { detail });
}
