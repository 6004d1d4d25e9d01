/** Revocation jobs as a person is shown them. */
import { z } from 'zod';

export const Job = z.looseObject({
  id: z.string(),
  action: z.string(),
  state: z.string(),
  lines: z.number(),
  settled: z.number(),
  counts: z.record(z.string(), z.number()),
});
export type Job = z.infer<typeof Job>;

export const OVER = ['done', 'cancelled', 'failed'];
/** What of its lines did not become what was asked for. */
const MISSED = ['unknown', 'conflict', 'forbidden', 'invalid', 'not_held'];

export function missed({ counts }: Job): number {
  return MISSED.reduce((sum, outcome) => sum + (counts[outcome] ?? 0), 0);
}

/** A line for a person: how far it is, and what came of it. */
export function progressLine({ state, lines, settled, counts }: Job): string {
  const came = Object.entries(counts).map(([name, n]) => `${n} ${name}`);
  return `${state}: ${settled} of ${lines} lines${came.length > 0 ? ` (${came.join(', ')})` : ''}`;
}
