/** Failures that the user can act on, in words; anything else is a bug and keeps its stack. */

export class Failure extends Error {
  override readonly name = 'Failure';
}

/** One sentence for any error, with advice where the cause is a known one. */
export function inWords(error: unknown): string {
  if (error instanceof Failure) return error.message;
  const { code, path, message } = error as NodeJS.ErrnoException;
  const where = path ? ` (${path})` : '';
  if (code === 'ENOSPC') return `No space is left on the disk${where}. Make room, then run the same command again.`;
  if (code === 'EDQUOT') return `The disk quota is used up${where}. Make room, then run the same command again.`;
  if (code === 'EACCES' || code === 'EPERM') return `Not permitted: ${message}.`;
  if (code === 'EROFS') return `The file system is read-only${where}.`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Runs a command to its exit code; a failure is printed, not thrown. */
export async function runCommand(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(inWords(error));
    process.exitCode = 1;
  }
}
