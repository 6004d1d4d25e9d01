/** Entity tags and If-Match (RFC 9110 §8.8.3, §13.1.1). */
import { createHash } from 'node:crypto';
import { canonicalize } from '@outrider/canonicalization';
import { DomainError } from '@outrider/errors';

/** The tags that the caller takes, in their quotes; `*`: any; undefined: did not say. */
export type IfMatch = readonly string[] | '*' | undefined;

/** A weak tag matches nothing here, nor does what is no tag. */
export function parseIfMatch(header: string | undefined): IfMatch {
  if (header === undefined || header.trim() === '*') return header === undefined ? undefined : '*';
  return header.split(',').flatMap((part) => {
    const tag = part.trim();
    return /^"[\x21\x23-\x7e]{1,128}"$/.test(tag) ? [tag] : [];
  });
}

/**
 * To be asked under the lock that the change is made under. `tag`: of what is there; undefined: nothing is, which matches nothing.
 * @throws DomainError `request.precondition_failed`
 */
export function requireMatch(ifMatch: IfMatch, tag: string | undefined): void {
  if (ifMatch === undefined || (tag !== undefined && (ifMatch === '*' || ifMatch.includes(tag)))) return;
  throw new DomainError('request.precondition_failed', {
    detail: tag === undefined ? 'it is not there' : `it is ${tag} now`,
  });
}

/** Of what counts its versions. */
export function versionTag(version: number): string {
  return `"${version}"`;
}

/** Of what does not: its document tells, as JSON. When it was changed belongs into that, so that a change back is a change. */
export function documentTag(document: object): string {
  const hash = createHash('sha256').update(canonicalize(document)).digest('base64url');
  return `"${hash.slice(0, 22)}"`;
}
