/** What of an error goes into the log: of a statement that failed never the values it was given. */
import { stdSerializers } from 'pino';

/** TypeORM and `pg` put parameters and rows there: VINs, sealed keys, hashes of secrets. The statement and the code say what went wrong. */
const OF_STATEMENTS: readonly string[] = ['parameters', 'driverError', 'detail', 'where', 'internalQuery'];

/** @param error anything thrown. */
export function loggedError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const members = Object.entries(stdSerializers.err(error));
  if (!('severity' in error || 'parameters' in error)) return Object.fromEntries(members);
  return Object.fromEntries(members.filter(([name]) => !OF_STATEMENTS.includes(name)));
}
