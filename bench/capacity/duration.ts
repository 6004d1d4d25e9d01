/** Reads a duration as it is typed: `500ms`, `10s`, `5m`, `1h`, `2d`. */

const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds; undefined for what is no duration above zero. */
export function durationSeconds(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const seconds = Number(number) * (SECONDS[unit ?? ''] ?? Number.NaN);
  return seconds > 0 ? seconds : undefined;
}
