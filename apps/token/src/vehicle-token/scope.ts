/** Decides which scopes, family and audience a vehicle's token gets (RFC 6749 §3.3, RFC 8707 §2); one token never mixes families. */
import { OPERATOR_AUDIENCE, vehicleAudience } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { scopeTokens } from '../oauth/scope-tokens.js';

/** `api`: of an API of the platform's own, behind an edge that asks gateway; each is a family by itself. */
export type ScopeFamily = 'telemetry' | 'control' | 'api';

/** `scopes`: in the order a token lists them; no two of a catalogue share one. */
export interface ScopesOf {
  readonly family: ScopeFamily;
  readonly scopes: readonly string[];
  readonly audience: string;
}

/** All that vehicles may ask for here. */
export interface ScopeCatalogue {
  readonly families: readonly ScopesOf[];
  readonly scopes: readonly string[];
  /** Each scope by itself, as most vehicles ask. */
  readonly usual: ReadonlyMap<string, ScopeGrant>;
}

const OWN: readonly ScopesOf[] = [
  {
    family: 'telemetry',
    scopes: ['telemetry:write', 'telemetry:backfill'],
    audience: vehicleAudience('telemetry'),
  },
  { family: 'control', scopes: ['command:receive', 'command:critical'], audience: vehicleAudience('command') },
];

/** What a vehicle gets that asks for no scope. */
export const DEFAULT_SCOPE = 'telemetry:write';

export interface ScopeGrant {
  readonly family: ScopeFamily;
  /** Without duplicates, at least one. */
  readonly scopes: readonly string[];
  readonly audience: string;
}

/** Ours, and those of the platform's APIs. Throws a plain error where two families share a scope or an audience, operators' included: a scope alone says what a token is for. */
export function scopeCatalogue(apis: readonly Omit<ScopesOf, 'family'>[] = []): ScopeCatalogue {
  const families = [...OWN, ...apis.map((api): ScopesOf => ({ ...api, family: 'api' }))];
  const scopes = families.flatMap((family) => family.scopes);
  const audiences = [OPERATOR_AUDIENCE, ...families.map(({ audience }) => audience)];
  for (const list of [scopes, audiences]) {
    const twice = list.find((one, index) => list.indexOf(one) !== index);
    if (twice !== undefined) throw new Error(`${twice} is of two families`);
  }
  const usual = families.flatMap((family) => family.scopes.map((one) => [one, { ...family, scopes: [one] }] as const));
  return { families, scopes, usual: new Map(usual) };
}

export const OWN_SCOPES = scopeCatalogue();

/**
 * `scope`: space separated; `resource`: the service the token is for, default the family's.
 * @throws DomainError `token.invalid_scope` (unknown, mixed), `token.invalid_target`
 */
export function decideScope(
  scope: string = DEFAULT_SCOPE,
  resource?: string,
  catalogue: ScopeCatalogue = OWN_SCOPES,
): ScopeGrant {
  const asked = scopeTokens(scope);
  const known = asked.every((one) => catalogue.usual.has(one));
  if (!known) throw new DomainError('token.invalid_scope', { detail: 'a scope is unknown here' });
  const [family, other] = catalogue.families.filter(({ scopes }) => scopes.some((one) => asked.includes(one)));
  if (!family || other)
    throw new DomainError('token.invalid_scope', { detail: 'one token never mixes scope families' });
  const { scopes, audience } = family;
  if (resource !== undefined && resource !== audience) throw invalidTarget(resource, catalogue);
  return { family: family.family, scopes: scopes.filter((one) => asked.includes(one)), audience };
}

/** What `decideScope` says of one scope alone, or of none; undefined for whatever takes reading. */
export function usualScope(
  scope: string = DEFAULT_SCOPE,
  { usual }: ScopeCatalogue = OWN_SCOPES,
): ScopeGrant | undefined {
  return usual.get(scope);
}

function invalidTarget(resource: string, { families }: ScopeCatalogue): DomainError {
  const detail = families.some(({ audience }) => audience === resource)
    ? 'the resource does not take this scope'
    : 'the resource is unknown here';
  return new DomainError('token.invalid_target', { detail });
}
