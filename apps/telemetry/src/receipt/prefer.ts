/** Reads what a client prefers (RFC 7240): `Prefer: receipt` asks for a signed receipt. */

/** Whether the preference `name`, without a value or a parameter, is among those of the header. */
export function prefers(header: string | readonly string[] | undefined, name: string): boolean {
  return [header ?? []]
    .flat()
    .flatMap((value) => value.split(',', 32))
    .some((preference) => preference.trim().toLowerCase() === name);
}
