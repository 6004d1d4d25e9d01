/** If-Match (RFC 9110 §13.1.1) on devices, whose entity tag is their version. */
import { DomainError } from '@outrider/errors';

/** The versions that the caller takes; `*`: any; undefined: did not say. */
export type IfMatch = readonly number[] | '*' | undefined;

/** A tag that is none of ours, a weak one among them, matches nothing. */
export function parseIfMatch(header: string | undefined): IfMatch {
  if (header === undefined || header.trim() === '*') return header === undefined ? undefined : '*';
  return header.split(',').flatMap((tag) => {
    const version = /^"(\d{1,9})"$/.exec(tag.trim())?.[1];
    return version === undefined ? [] : [Number(version)];
  });
}

/** @throws DomainError `request.precondition_failed` */
export function requireMatch(ifMatch: IfMatch, version: number): void {
  if (ifMatch === undefined || ifMatch === '*' || ifMatch.includes(version)) return;
  throw new DomainError('request.precondition_failed', { detail: `it is at version ${version} now` });
}

export function etagOf(version: number): string {
  return `"${version}"`;
}
