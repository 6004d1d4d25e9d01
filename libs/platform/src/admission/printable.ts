/** Decides what of a stranger's text goes into the decision log. */

/**
 * At most `length` UTF-16 units. Details quote strangers: a NUL could not be stored, control and format characters would speak to
 * an operator's terminal, half a surrogate pair is no text. Each becomes U+FFFD.
 */
export function printable(text: string, length: number): string {
  return text.slice(0, length).replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '\ufffd');
}
