/** A record as a person is shown it. */
import { z } from 'zod';

/** `payload`: as received, in the raw view; `telemetry`: in the decoded one. */
export const ShownRecord = z.looseObject({
  device_id: z.string(),
  seq: z.number(),
  ts: z.number(),
  payload: z.string().optional(),
  telemetry: z.unknown().optional(),
});
export type ShownRecord = z.output<typeof ShownRecord>;

export function wordsOf({ device_id, seq, ts, telemetry, payload }: ShownRecord): unknown[] {
  return [new Date(ts * 1000).toISOString(), device_id, `#${seq}`, ...measurements(telemetry, payload)];
}

function measurements(telemetry: unknown, payload: string | undefined): string[] {
  const measured = z.record(z.string(), z.unknown()).safeParse(telemetry).data;
  if (!measured) return payload === undefined ? [] : [payload];
  return Object.entries(measured).map(
    ([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  );
}
