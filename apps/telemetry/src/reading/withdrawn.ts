/** Decides whether a long answer goes on: the right that it began with may be taken away, though not merely run out, before its end. */
import { DomainError } from '@outrider/errors';

const RECHECK_MS = 1_000;

/**
 * To be called before each part. @param admitted judges the request again, and throws; @param nowMs of a clock that never goes back
 * @returns what throws that again, but for the end of a token that was good at the beginning: an export takes longer than a token lives
 */
export function unlessWithdrawn(admitted: () => void, nowMs: () => number): () => void {
  let judgedAt = nowMs();
  return () => {
    if (nowMs() - judgedAt < RECHECK_MS) return;
    judgedAt = nowMs();
    try {
      admitted();
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'auth.token_expired') throw error;
    }
  };
}
