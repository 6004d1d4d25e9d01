/** What may be asked of the decision log, and how a page of it looks: newest first, `next` leading to older ones. */
import type { Decision } from '@outrider/contracts';
import { DeviceId, Service } from '@outrider/ids';
import { z } from 'zod';

export const MAX_LIMIT = 1000;

/** Empty parameters count as absent, as in a URL with its blanks not filled in. */
function orAbsent<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => (value === '' ? undefined : value), schema.optional());
}

export const DecisionQuery = z.strictObject({
  device: orAbsent(DeviceId),
  code: orAbsent(z.string().max(64)),
  service: orAbsent(Service),
  decision: orAbsent(z.enum(['allow', 'deny'])),
  /** The `next` of the page before. */
  after: orAbsent(z.string().regex(/^[1-9][0-9]{0,18}$/)),
  limit: orAbsent(z.coerce.number().int().min(1).max(MAX_LIMIT)),
});
export type DecisionQuery = z.output<typeof DecisionQuery>;

export interface StoredDecision extends Decision {
  readonly id: string;
}

/** @param items at most one more than `limit`, newest first: the one too many tells that there are older ones. */
export function decisionPage(items: readonly StoredDecision[], limit: number) {
  const page = items.slice(0, limit);
  return { items: page.map(document), next: items.length > limit ? (page.at(-1)?.id ?? null) : null };
}

function document(decision: StoredDecision) {
  return {
    id: decision.id,
    service: decision.service,
    instance: decision.instance,
    decision: decision.decision,
    code: decision.code,
    listener: decision.listener,
    action: decision.action,
    device_id: decision.deviceId,
    thumbprint: decision.thumbprint,
    subject: decision.subject,
    remote_address: decision.remoteAddress,
    detail: decision.detail,
    trace_id: decision.traceId,
    count: decision.count,
    since: decision.since,
    at: decision.at,
  };
}
