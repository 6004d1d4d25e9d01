/** What other policies would have decided on requests that were decided already. */
import { type CompiledBundle, decide, type PolicyRequest } from '@outrider/policy';

export interface RecordedDecision {
  readonly id: string;
  readonly at: Date;
  readonly service: string;
  readonly request: PolicyRequest;
  readonly decision: 'allow' | 'deny';
  readonly policies: readonly string[];
}

/** How many changes are told one by one; all are counted. */
const MAX_TOLD = 100;

export function dryRun(candidate: CompiledBundle, recorded: readonly RecordedDecision[]) {
  const changes = recorded.flatMap((before) => {
    const after = decide(candidate, before.request);
    if (after.decision === before.decision) return [];
    return [
      {
        id: before.id,
        at: before.at.toISOString(),
        service: before.service,
        action: before.request.action,
        principal: before.request.principal.id,
        resource: before.request.resource.id,
        was: { decision: before.decision, policies: before.policies },
        would_be: { decision: after.decision, policies: after.policies, errors: after.errors },
      },
    ];
  });
  return {
    tried: recorded.length,
    would_allow: changes.filter(({ would_be }) => would_be.decision === 'allow').length,
    would_deny: changes.filter(({ would_be }) => would_be.decision === 'deny').length,
    changes: changes.slice(0, MAX_TOLD),
  };
}
