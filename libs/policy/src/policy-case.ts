/** Cases that a set of policies must decide as expected: what `policy test` runs. */
import { z } from 'zod';
import { type CompiledBundle, PolicyId } from './bundle.js';
import { decide, type PolicyDecision, type PolicyRequest, type PolicyValue } from './decide.js';

const Value: z.ZodType<PolicyValue> = z.lazy(() =>
  z.union([z.string(), z.int(), z.boolean(), z.array(Value), z.record(z.string(), Value)]),
);
const Values = z.record(z.string(), Value);
const Entity = z.strictObject({ type: z.string(), id: z.string(), attributes: Values.default({}) });

export const PolicyRequestDocument: z.ZodType<PolicyRequest> = z.strictObject({
  principal: Entity,
  action: z.string(),
  resource: Entity,
  context: Values.default({}),
});

/** `policies`: the ids that must have made the decision, all of them; left out: any. */
export const PolicyCase = z.strictObject({
  name: z.string().min(1),
  request: PolicyRequestDocument,
  expected: z.strictObject({ decision: z.enum(['allow', 'deny']), policies: z.array(PolicyId).optional() }),
});
export type PolicyCase = z.infer<typeof PolicyCase>;

export interface CaseResult {
  readonly name: string;
  readonly held: boolean;
  readonly seen: PolicyDecision;
}

export function runCase(bundle: CompiledBundle, { name, request, expected }: PolicyCase): CaseResult {
  const seen = decide(bundle, request);
  const samePolicies = expected.policies === undefined || [...expected.policies].sort().join() === seen.policies.join();
  return { name, held: seen.decision === expected.decision && samePolicies, seen };
}
