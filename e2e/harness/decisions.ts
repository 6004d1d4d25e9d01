/** The decision log, asked for a refusal that must be in it. */
import type { Service } from './endpoints.js';
import { operator } from './operator.js';
import { until } from './until.js';

export interface LoggedDecision {
  readonly service: Service;
  readonly decision: 'allow' | 'deny';
  readonly code: string;
  readonly device_id?: string | null;
  readonly at: string;
  readonly count: number;
}

/** Alike refusals of one source are counted together for ten seconds; so a second one may take that long. */
const WITHIN_MS = 15_000;

/** The newest such refusal. `since`: not one from before. Rejects when none is there in time. */
export function deniedInLog(
  code: string,
  { device, service, since }: { device?: string; service?: Service; since?: Date } = {},
): Promise<LoggedDecision> {
  const query = new URLSearchParams({ code, device: device ?? '', service: service ?? '', limit: '20' });
  const whose = [device, service].filter(Boolean).join(' at ');
  return until(
    `a refusal with ${code} in the decision log${whose ? ` (${whose})` : ''}`,
    async () => {
      const { body } = await operator('gateway', 'GET', `/v1/decisions?${query}`);
      const items = body.items as LoggedDecision[];
      return items.find(({ decision, at }) => decision === 'deny' && (!since || new Date(at) >= since));
    },
    { withinMs: WITHIN_MS },
  );
}
