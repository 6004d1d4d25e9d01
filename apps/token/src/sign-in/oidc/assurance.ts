/** Decides what the identity provider's word on a sign-in is worth here: a first factor, or both. */

/** Values of `acr` and `amr` that this provider gives for two factors. */
export interface AssuranceRule {
  readonly mfaAcr: readonly string[];
  readonly mfaAmr: readonly string[];
}

/** Of a verified ID token. `auth_time`: seconds since the epoch. */
export interface IdTokenFacts {
  readonly acr?: unknown;
  readonly amr?: unknown;
  readonly auth_time?: unknown;
}

/** `amr`: for our token, names of RFC 8176; `authTime`: seconds since the epoch, undefined where the provider does not say. */
export interface Assurance {
  readonly mfa: boolean;
  readonly amr: readonly string[];
  readonly authTime: number | undefined;
}

const MAX_AMR = 6;

export function assuranceOf(facts: IdTokenFacts, { mfaAcr, mfaAmr }: AssuranceRule): Assurance {
  const methods = Array.isArray(facts.amr) ? facts.amr.filter((name): name is string => typeof name === 'string') : [];
  const mfa =
    (typeof facts.acr === 'string' && mfaAcr.includes(facts.acr)) || methods.some((name) => mfaAmr.includes(name));
  // What it says of itself is passed on by name alone; that there were two factors is what our rule says.
  const named = methods.filter((name) => /^[a-z]{2,16}$/.test(name) && name !== 'mfa').slice(0, MAX_AMR);
  const authTime = typeof facts.auth_time === 'number' ? Math.floor(facts.auth_time) : undefined;
  return { mfa, amr: mfa ? [...named, 'mfa'] : named, authTime };
}
