/** The lines by which gateway tells an edge's updater of the denylist (NDJSON), and what of it an edge can match by itself. */
import type { DenylistEntry, DenylistKind } from '@outrider/admission';
import { DeviceId, Thumbprint } from '@outrider/ids';
import { z } from 'zod';

/** Kinds that an edge has at hand for each request. Keys, tokens and serial numbers are for whoever parses certificates and tokens. */
export const EDGE_KINDS = ['certificate', 'device', 'network'] as const satisfies readonly DenylistKind[];
export type EdgeKind = (typeof EDGE_KINDS)[number];

/** Values go into a proxy's command line: nothing in them may end a word. */
const Value = {
  certificate: Thumbprint,
  device: DeviceId,
  network: z.string().regex(/^[0-9a-fA-F.:]{2,45}(?:\/\d{1,3})?$/),
};

const Entry = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('certificate'), value: Value.certificate, gone: z.literal(true).optional() }),
  z.strictObject({ kind: z.literal('device'), value: Value.device, gone: z.literal(true).optional() }),
  z.strictObject({ kind: z.literal('network'), value: Value.network, gone: z.literal(true).optional() }),
]);

/**
 * `begin`: the whole list follows, up to `end`; after it changes. `beat`, every second: `ageMs` is how old the list is, null before it
 * was proven at all.
 */
export const FeedLine = z.union([
  Entry,
  z.strictObject({ type: z.enum(['begin', 'end']) }),
  z.strictObject({ type: z.literal('beat'), ageMs: z.number().nullable() }),
]);
export type FeedLine = z.infer<typeof FeedLine>;
export type FeedEntry = z.infer<typeof Entry>;

/** Undefined for what an edge cannot match. What is denied but for recovery is not denied at an edge, which does not know the routes. */
export function feedEntry({ kind, value, mode, removed, until }: DenylistEntry, nowMs: number): FeedEntry | undefined {
  const denied = mode === 'deny' && !removed && (until === undefined || Date.parse(until) > nowMs);
  const parsed = Entry.safeParse({ kind, value, ...(denied ? {} : { gone: true }) });
  return parsed.success ? parsed.data : undefined;
}
