/** Bundles of policies: what an operator sends and sees, and what a change of them is. */
import { PolicyBundle } from '@outrider/policy';
import { z } from 'zod';

/** `shipped`: what this version of the product starts with. An operator's bundle is never replaced by a shipped one. */
export type BundleSource = 'shipped' | 'operator';

export interface StoredBundle extends PolicyBundle {
  readonly source: BundleSource;
  readonly changedBy: string;
  readonly reason: string;
  readonly changedAt: Date;
}

/** `schema`: left out, the one in force stays. */
export const BundleBody = z.strictObject({
  schema: PolicyBundle.shape.schema.optional(),
  policies: PolicyBundle.shape.policies,
  reason: z.string().min(10).max(500),
});
export type BundleBody = z.infer<typeof BundleBody>;

/** `limit`: how many of the latest recorded decisions are tried. */
export const DryRunBody = z.strictObject({
  schema: PolicyBundle.shape.schema.optional(),
  policies: PolicyBundle.shape.policies,
  since: z.iso.datetime().optional(),
  limit: z.int().min(1).max(10_000).default(1000),
});
export type DryRunBody = z.infer<typeof DryRunBody>;

export interface BundleContent {
  readonly schema: string;
  readonly policies: Readonly<Record<string, string>>;
}

export function sameContent(left: BundleContent, right: BundleContent): boolean {
  const names = Object.keys(left.policies);
  return (
    left.schema === right.schema &&
    names.length === Object.keys(right.policies).length &&
    names.every((name) => left.policies[name] === right.policies[name])
  );
}

/** The bundle that takes effect at start: undefined where what is in force stays. */
export function shippedSuccessor(latest: StoredBundle | undefined, shipped: BundleContent): PolicyBundle | undefined {
  if (latest?.source === 'operator' || (latest && sameContent(latest, shipped))) return undefined;
  return { version: (latest?.version ?? 0) + 1, schema: shipped.schema, policies: { ...shipped.policies } };
}

export function bundleDocument({ version, schema, policies, source, changedBy, reason, changedAt }: StoredBundle) {
  return { version, source, changed_by: changedBy, reason, changed_at: changedAt.toISOString(), schema, policies };
}
