/** Names the job of a file by what it says and by what is asked of it: the same again is the same job. */
import { createHash } from 'node:crypto';

/** A UUID of version 8 (RFC 9562 §5.8). @param fileSha256 hex. @param words of the request, in any order. */
export function jobId(fileSha256: string, words: Readonly<Record<string, string | undefined>>): string {
  const said = Object.entries(words)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const hex = createHash('sha256')
    .update(JSON.stringify([fileSha256, said]))
    .digest('hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
