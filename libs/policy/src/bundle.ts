/** Policy bundles: what is put in force as one, checked as a whole before anything is decided by it. */
import {
  checkParsePolicySet,
  type DetailedError,
  policySetTextToParts,
  preparsePolicySet,
  preparseSchema,
  validate,
} from '@cedar-policy/cedar-wasm/nodejs';
import { DomainError } from '@outrider/errors';
import { z } from 'zod';

/** A name that comes back with each decision, e.g. `no-remote-control-while-moving`. */
export const PolicyId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);
export type PolicyId = z.infer<typeof PolicyId>;

const MAX_POLICIES = 500;
const MAX_POLICY_CHARACTERS = 16_384;

/** `version` only grows: an older bundle never takes the place of a newer one. Texts are Cedar's. */
export const PolicyBundle = z.strictObject({
  version: z.int().positive(),
  schema: z.string().max(65_536),
  policies: z
    .record(PolicyId, z.string().min(1).max(MAX_POLICY_CHARACTERS))
    .refine((policies) => Object.keys(policies).length <= MAX_POLICIES, `at most ${MAX_POLICIES} policies`),
});
export type PolicyBundle = z.infer<typeof PolicyBundle>;

/** Where Cedar keeps what it parsed: one set in force, and one beside it that is tried. Parsed sets are never freed, so there are no more places. */
export type BundleSlot = 'in-force' | 'candidate';

/** A bundle that holds, ready to decide by. */
export interface CompiledBundle {
  readonly bundle: PolicyBundle;
  readonly slot: BundleSlot;
}

/** What each place holds: a memory of parsing, no state of ours. */
const parsed = new Map<BundleSlot, CompiledBundle>();

/**
 * Holds every policy against the schema (strictly: a policy that could fail at run time is refused) and parses the bundle.
 * @throws DomainError `policy.invalid` with the id of each policy that does not hold, and why.
 */
export function compileBundle(bundle: PolicyBundle, slot: BundleSlot): CompiledBundle {
  checkPolicies(bundle);
  const compiled: CompiledBundle = { bundle, slot };
  keepParsed(compiled);
  return compiled;
}

/** Sees to it that the place holds this bundle: another one may have been compiled into it since. */
export function keepParsed(compiled: CompiledBundle): void {
  const { bundle, slot } = compiled;
  if (parsed.get(slot) === compiled) return;
  parsed.delete(slot);
  expectParsed(preparseSchema(slot, bundle.schema), 'schema');
  expectParsed(preparsePolicySet(slot, { staticPolicies: bundle.policies }), 'policies');
  parsed.set(slot, compiled);
}

/** All that `compileBundle` checks, keeping nothing. @throws DomainError `policy.invalid` */
export function checkPolicies({ schema, policies }: Pick<PolicyBundle, 'schema' | 'policies'>): void {
  const findings: string[] = [];
  for (const [id, text] of Object.entries(policies)) {
    const parts = policySetTextToParts(text);
    if (parts.type === 'failure') findings.push(`${id}: ${printed(parts.errors)}`);
    else if (parts.policies.length !== 1 || parts.policy_templates.length > 0)
      findings.push(`${id}: one policy under each id`);
  }
  if (findings.length > 0) throw invalid(findings.join('; '));
  expectParsed(checkParsePolicySet({ staticPolicies: policies }), 'policies');
  const answer = validate({ schema, policies: { staticPolicies: policies }, validationSettings: { mode: 'strict' } });
  if (answer.type === 'failure') throw invalid(printed(answer.errors));
  const errors = answer.validationErrors.map(({ policyId, error }) => `${policyId}: ${error.message}`);
  if (errors.length > 0) throw invalid(errors.join('; '));
}

function expectParsed(answer: { type: 'success' } | { type: 'failure'; errors: DetailedError[] }, what: string): void {
  if (answer.type === 'failure') throw invalid(`${what}: ${printed(answer.errors)}`);
}

function printed(errors: readonly DetailedError[]): string {
  return errors.map(({ message, help }) => (help ? `${message} (${help})` : message)).join('; ');
}

function invalid(detail: string): DomainError {
  return new DomainError('policy.invalid', { detail: detail.slice(0, 2000) });
}
