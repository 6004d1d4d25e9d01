/** Decides whether a failed query means that PostgreSQL is away, or cannot do anything just now, so that trying again can help. */
import { DomainError } from '@outrider/errors';

const AWAY = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  // A node that was lost, or a name server.
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'EAI_AGAIN',
  '08000',
  '08001',
  '08003',
  '08004',
  '08006',
  '53300',
  // It is there, and has no room, no memory or no time: nothing is wrong with the statement.
  '53100',
  '53200',
  '53400',
  '57014',
  '58030',
  '57P01',
  '57P02',
  '57P03',
  '25006',
]);

/** True for a lost or refused connection and for a server at its end; false for a statement that PostgreSQL itself refused. */
export function isDatabaseAway(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  if (code !== undefined && AWAY.has(code)) return true;
  return /Connection terminated|timeout expired|timeout exceeded when trying to connect|Client was closed|Client has encountered a connection error|connection timeout|Driver not Connected/i.test(
    message ?? '',
  );
}

/** True for a serialization failure or a deadlock: the transaction may be run again as it is. */
export function isRetryableConflict(error: unknown): boolean {
  const code = (error as { code?: string } | undefined)?.code;
  return code === '40001' || code === '40P01';
}

/** True for a value that PostgreSQL cannot hold (class 22: a NUL in a text, a number out of range): the same statement fails for ever. */
export function isUnstorable(error: unknown): boolean {
  return /^22[0-9A-Z]{3}$/.test((error as { code?: string } | undefined)?.code ?? '');
}

/** `service.unavailable` for a PostgreSQL that is away, and the error itself for anything else. */
export function databaseError(error: unknown): unknown {
  if (error instanceof DomainError || !isDatabaseAway(error)) return error;
  return new DomainError('service.unavailable', { cause: error, detail: 'the database is away', retryAfterSeconds: 1 });
}
