/** What is kept of every change to a device: from, to, by what, who, why; and how operators read it. */
import type { DeviceState } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { z } from 'zod';

/** Who did something and why. `who`: `op:<uuid>`, a service's name, or `vehicle:<thumbprint>`. */
export interface Act {
  readonly who: string;
  readonly why: string;
  /** Of the operator's own ticket system. */
  readonly ticket?: string | undefined;
  /** What else belongs to it: changed fields as `{field: [from, to]}`, the order's id. Plain JSON. */
  readonly detail?: Readonly<Record<string, unknown>> | undefined;
}

/** `from`: null where the device came into being. `event`: an event of the lifecycle, `registered` or `changed`. */
export interface HistoryEntry extends Act {
  readonly deviceId: DeviceId;
  readonly from: DeviceState | null;
  readonly to: DeviceState;
  readonly event: string;
  readonly at: Date;
}

export const Reason = z.string().trim().min(1).max(500);
export const Ticket = z.string().trim().min(1).max(100);

export const HistoryQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  after: z
    .string()
    .transform((cursor) => Buffer.from(cursor, 'base64url').toString('latin1'))
    .pipe(z.string().regex(/^[1-9]\d{0,17}$/))
    .optional(),
});
export type HistoryQuery = z.infer<typeof HistoryQuery>;

export interface StoredEntry extends Omit<HistoryEntry, 'ticket' | 'detail'> {
  readonly id: string;
  readonly ticket: string | null;
  readonly detail: Readonly<Record<string, unknown>> | null;
}

/** A page for the operator API. `entries`: newest first, one more than `limit` where there are older ones. */
export function historyPage(entries: readonly StoredEntry[], limit: number) {
  const shown = entries.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(({ from, to, event, who, why, at, ticket, detail }) => ({
      at: at.toISOString(),
      event,
      ...(from === null ? {} : { from }),
      to,
      who,
      why,
      ...(ticket === null ? {} : { ticket }),
      ...(detail === null ? {} : { detail }),
    })),
    next: entries.length > shown.length && last ? Buffer.from(last.id, 'latin1').toString('base64url') : null,
  };
}

/** `{field: [from, to]}` for what differs. */
export function changes<T extends object>(before: T, after: T, fields: readonly (keyof T & string)[]) {
  const differing = fields.filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]));
  return Object.fromEntries(differing.map((field) => [field, [before[field], after[field]]]));
}
