/** Compact JWS from strangers: what is none, and a payload that is no JSON, is an answer and never an exception. */
import { type ParsedJws, parseJws } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';

/** Undefined for what is no JWS of at most `maxBytes` characters. Nothing of it is verified. */
export function readCompactJws(compact: string, maxBytes: number): ParsedJws | undefined {
  try {
    return parseJws(compact, maxBytes);
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}

/** Undefined for what is not JSON in UTF-8. */
export function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
