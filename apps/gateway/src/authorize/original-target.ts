/** Decides which path a request means, and refuses what the API behind an edge could read as another one (RFC 3986 §6.2.2). */

/** `segments`: decoded once, none empty; `/` has none. `query`: as sent, without the question mark. */
export interface OriginalTarget {
  readonly segments: readonly string[];
  readonly query: string;
}
export type TargetVerdict =
  | { readonly ok: true; readonly target: OriginalTarget }
  | { readonly ok: false; readonly reason: string };

/** Characters of a request target; nginx's default for a whole request line is 8 KiB, and no API of vehicles comes near. */
export const MAX_TARGET_LENGTH = 4096;

/** What some server takes for a separator, an end or a parameter of a segment, encoded or not: a path with it has no one meaning. */
const TWO_MEANINGS = /[\p{Cc}/\\%;]/u;

/**
 * Nothing is repaired: what would need it is refused, since the API might not repair it, or do so otherwise.
 * @param raw the request target as the client sent it, in origin form (RFC 9112 §3.2.1).
 */
export function originalTarget(raw: string): TargetVerdict {
  if (raw.length > MAX_TARGET_LENGTH) return refuse('it is too long');
  if (!/^\/[\x21-\x7e]*$/.test(raw)) return refuse('it is not in origin form, or not of printable ASCII');
  if (/[#\\]/.test(raw)) return refuse('a number sign or a backslash');
  const end = raw.indexOf('?');
  const path = end < 0 ? raw : raw.slice(0, end);
  const query = end < 0 ? '' : raw.slice(end + 1);
  if (path === '/') return { ok: true, target: { segments: [], query } };
  const segments: string[] = [];
  for (const encoded of path.slice(1).split('/')) {
    const segment = encoded.includes('%') ? decoded(encoded) : encoded;
    if (segment === undefined) return refuse('a segment that does not decode');
    if (segment === '') return refuse('an empty segment');
    if (segment === '.' || segment === '..') return refuse('a segment of dots');
    if (TWO_MEANINGS.test(segment)) return refuse('a separator, a semicolon or a percent sign in a segment');
    segments.push(segment);
  }
  return { ok: true, target: { segments, query } };
}

/** RFC 6750 §2.3 allows tokens in the query; we take none there, since addresses end up in logs. */
export function hasTokenInQuery(query: string): boolean {
  if (query === '') return false;
  return query.split(/[&;]/).some((pair) => /^access_token(?:\[|$)/i.test(nameOf(pair)));
}

function nameOf(pair: string): string {
  const [name = ''] = pair.split('=', 1);
  return decoded(name.replaceAll('+', ' '))?.trim() ?? name;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function refuse(reason: string): TargetVerdict {
  return { ok: false, reason };
}
