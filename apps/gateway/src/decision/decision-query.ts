/** What may be asked of the decision log, and how a page of it looks: newest first, `next` leading to older ones. */
import type { Decision } from '@outrider/contracts';
import { DeviceId, JwtId, Service, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { ocsfDecision } from './ocsf.js';

export const MAX_LIMIT = 1000;

/** Empty parameters count as absent, as in a URL with its blanks not filled in. */
function orAbsent<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => (value === '' ? undefined : value), schema.optional());
}

/** As it is stored, or as a SIEM takes it. */
const Form = z.enum(['outrider', 'ocsf']);
export type Form = z.infer<typeof Form>;

const Id = z.string().regex(/^(?:0|[1-9][0-9]{0,17})$/);

const filter = {
  device: orAbsent(DeviceId),
  code: orAbsent(z.string().max(64)),
  service: orAbsent(Service),
  decision: orAbsent(z.enum(['allow', 'deny'])),
  thumbprint: orAbsent(Thumbprint),
  token: orAbsent(JwtId),
  /** Of the decision itself: from this instant on, and before that one. */
  from: orAbsent(z.iso.datetime({ offset: true })),
  to: orAbsent(z.iso.datetime({ offset: true })),
} as const;

export const DecisionFilter = z.strictObject(filter);
export type DecisionFilter = z.output<typeof DecisionFilter>;

export const DecisionQuery = z.strictObject({
  ...filter,
  form: orAbsent(Form),
  /** The `next` of the page before. */
  after: orAbsent(Id),
  limit: orAbsent(z.coerce.number().int().min(1).max(MAX_LIMIT)),
});
export type DecisionQuery = z.output<typeof DecisionQuery>;

export const DecisionStreamQuery = z.strictObject({
  ...filter,
  form: orAbsent(Form),
  /** The id behind which to begin; a reader that comes back names its last one in `Last-Event-ID`. */
  after: orAbsent(Id),
});
export type DecisionStreamQuery = z.output<typeof DecisionStreamQuery>;

export interface StoredDecision extends Decision {
  readonly id: string;
}

/** @param items at most one more than `limit`, newest first: the one too many tells that there are older ones. */
export function decisionPage(items: readonly StoredDecision[], limit: number, form: Form = 'outrider') {
  const page = items.slice(0, limit);
  return {
    items: page.map((decision) => decisionIn(form, decision)),
    next: items.length > limit ? (page.at(-1)?.id ?? null) : null,
  };
}

export function decisionIn(form: Form, decision: StoredDecision) {
  return form === 'ocsf' ? ocsfDecision(decision) : document(decision);
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
    token_id: decision.tokenId,
    policies: decision.policies,
    latency_ms: decision.latencyMs,
    count: decision.count,
    since: decision.since,
    at: decision.at,
  };
}
