/** A decision by a bundle: what the policies say of one request. Forbid wins; what no policy permits is denied, and so is what a policy fails on. */
import {
  type CedarValueJson,
  type EntityJson,
  statefulIsAuthorized,
  type TypeAndId,
} from '@cedar-policy/cedar-wasm/nodejs';
import { type CompiledBundle, keepParsed, type PolicyId } from './bundle.js';

/** Attribute values: text, whole numbers, truth values, sets and records of these. */
export type PolicyValue = string | number | boolean | readonly PolicyValue[] | { readonly [name: string]: PolicyValue };

/** e.g. `{ type: 'Vehicle', id: 'device-12345', attributes: { state: 'active' } }`; types are those of the schema. */
export interface PolicyEntity {
  readonly type: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, PolicyValue>>;
}

export interface PolicyRequest {
  readonly principal: PolicyEntity;
  /** The id of an action of the schema, e.g. `dispatch_command`. */
  readonly action: string;
  readonly resource: PolicyEntity;
  readonly context: Readonly<Record<string, PolicyValue>>;
}

/** `policies`: the ids that made the decision: of the forbids for a denial by one, of the permits otherwise; empty where none applied. */
export interface PolicyDecision {
  readonly decision: 'allow' | 'deny';
  readonly policies: readonly PolicyId[];
  /** Why policies could not be evaluated, or the request not be held against the schema; any one makes it a denial. */
  readonly errors: readonly string[];
  readonly version: number;
}

/**
 * @param namespace of the schema's types, `''` for none.
 */
export function decide(compiled: CompiledBundle, request: PolicyRequest, namespace = 'Outrider'): PolicyDecision {
  const { slot } = compiled;
  keepParsed(compiled);
  const typed = ({ type, id }: { type: string; id: string }): TypeAndId => ({
    type: namespace === '' ? type : `${namespace}::${type}`,
    id,
  });
  const entity = (one: PolicyEntity): EntityJson => ({ uid: typed(one), attrs: json(one.attributes), parents: [] });
  const same = request.principal.type === request.resource.type && request.principal.id === request.resource.id;
  const answer = statefulIsAuthorized({
    principal: typed(request.principal),
    action: typed({ type: 'Action', id: request.action }),
    resource: typed(request.resource),
    context: json(request.context),
    preparsedSchemaName: slot,
    validateRequest: true,
    preparsedPolicySetId: slot,
    entities: same ? [entity(request.resource)] : [entity(request.principal), entity(request.resource)],
  });
  const { version } = compiled.bundle;
  if (answer.type === 'failure') {
    return { decision: 'deny', policies: [], errors: answer.errors.map(({ message }) => message), version };
  }
  const { decision, diagnostics } = answer.response;
  const errors = diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${error.message}`);
  const policies = [...diagnostics.reason].sort();
  // Cedar skips a policy that fails; skipping a forbid would allow what it was written against.
  return { decision: errors.length > 0 ? 'deny' : decision, policies, errors, version };
}

function json(values: Readonly<Record<string, PolicyValue>>): Record<string, CedarValueJson> {
  return values as Record<string, CedarValueJson>;
}
