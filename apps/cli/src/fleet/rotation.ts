/** A rotation as provisioning answers, and what an operator types for a span of time. */
import { z } from 'zod';

export const Straggler = z.looseObject({ device_id: z.string(), last_seen_at: z.string().nullish() });

export const Rotation = z.looseObject({
  id: z.string(),
  state: z.string(),
  selected: z.number(),
  renewed: z.number(),
  outstanding: z.number(),
  stragglers: z.object({ items: z.array(Straggler), next: z.string().nullish() }).optional(),
});
export type Rotation = z.infer<typeof Rotation>;

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** Whole seconds of `90s`, `10m`, `2m30s`, `1h`, `7d`; undefined for anything else. */
export function spanSeconds(text: string): number | undefined {
  if (!/^(?:\d{1,7}[smhd])+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+)([smhd])/g)];
  return parts.reduce((sum, [, n, unit]) => sum + Number(n) * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS], 0);
}

/** One line of progress. */
export function progressLine({ state, selected, renewed, outstanding }: Rotation): string {
  return `${renewed} of ${selected} renewed, ${outstanding} outstanding (${state.replaceAll('_', ' ')})`;
}
