/** What the shell is told, and by which failure: the exit codes of `outrider`. */
import { Problem } from './operator/problem.js';

export const EXIT = {
  /** Done. */
  ok: 0,
  /** Refused by a service, or failed here. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** No suite, or a service that does not answer. */
  unreachable: 3,
  /** 401 or 403: the token is not good for this. */
  forbidden: 4,
  /** Accepted, but what was waited for did not happen in time, or nobody knows whether it did. */
  pending: 5,
} as const;

/** Did not happen in time; the message says what. */
export class StillPending extends Error {
  override readonly name = 'StillPending';
}

/** The command line cannot be meant. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** There is nobody to talk to. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof Unreachable) return EXIT.unreachable;
  if (error instanceof StillPending) return EXIT.pending;
  if (error instanceof Problem && (error.status === 401 || error.status === 403)) return EXIT.forbidden;
  if (error instanceof Problem && error.status === 503) return EXIT.unreachable;
  return EXIT.failed;
}
