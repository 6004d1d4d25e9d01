/** Finds the one character that JSON and addresses can say and PostgreSQL's text cannot hold. */

/**
 * Where in what was sent a NUL (U+0000) stands, as a path with dots, in a member's name or in a string; undefined where there is none.
 * `value`: as JSON.parse gives it, so no deeper than the scan before let through.
 */
export function nulIn(value: unknown, path: readonly string[] = []): string | undefined {
  if (typeof value === 'string') return value.includes('\0') ? path.join('.') : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [name, member] of Object.entries(value)) {
    if (name.includes('\0')) return path.join('.');
    const found = nulIn(member, [...path, name]);
    if (found !== undefined) return found;
  }
  return undefined;
}
