/** Bounded, strict parsing of what was stored. */
import { scanJson } from '@outrider/canonicalization';

/** More than ingest takes of one body. */
export const LIMITS = { maxBytes: 4 * 1_048_576, maxDepth: 64 };

/** @throws DomainError `request.malformed` */
export function scan(bytes: Uint8Array) {
  return scanJson(bytes, LIMITS).root;
}
