/** What options of `telemetry` may say. */
import { InvalidArgumentError, Option } from 'commander';

export function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number above 0');
  return value;
}

export function instant(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError('a time as in 2026-11-22T12:00:00Z');
  return time.toISOString();
}

export function deviceOption(): Option {
  return new Option('--device <id>').makeOptionMandatory();
}

/** `/v1/devices/{device}/telemetry` and what is below it. */
export function pathOf<const B extends string = ''>(device: string, below = '' as B) {
  return `/v1/devices/${encodeURIComponent(device)}/telemetry${below}` as const;
}
