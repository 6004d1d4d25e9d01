/** What a person sees: lines as things happen, and tables. */

export type Say = (line: string) => void;

/** `[["a", "b"]]` as columns that line up. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}

/** Runs one step and says how it went and how long it took. */
export async function step<T>(
  say: Say,
  name: string,
  work: () => Promise<T>,
  outcome: (result: T) => string,
): Promise<T> {
  const started = performance.now();
  const result = await work();
  say(`  ${name.padEnd(13)} ${outcome(result)} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  return result;
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
