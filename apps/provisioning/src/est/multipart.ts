/** The answer to `serverkeygen` (RFC 7030 §4.4.2): a private key and its certificate in one multipart/mixed body (RFC 2046 §5.1). */

export interface Part {
  readonly contentType: string;
  /** In lines that end with a line feed. */
  readonly base64: string;
}

/** @param boundary at random: it must not occur in a part, and base64 holds no hyphen. */
export function multipartMixed(parts: readonly Part[], boundary: string): { contentType: string; body: string } {
  const written = parts.map(({ contentType, base64 }) =>
    [
      `--${boundary}`,
      `Content-Type: ${contentType}`,
      'Content-Transfer-Encoding: base64',
      '',
      base64.trimEnd().replaceAll('\n', '\r\n'),
      '',
    ].join('\r\n'),
  );
  return { contentType: `multipart/mixed; boundary=${boundary}`, body: `${written.join('')}--${boundary}--\r\n` };
}
