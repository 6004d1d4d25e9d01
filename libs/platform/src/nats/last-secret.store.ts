import type { Logger } from 'pino';
import { readSecret } from '../service/config.js';

/**
 * Reads a secret anew each time it is asked for; where the file is away or empty for a moment (it is being replaced), what it said last.
 * Throws at once, and never later, where it cannot be read.
 */
export function lastSecret(file: string, logger: Logger): () => string {
  let last = read(file);
  let isAway = false;
  return () => {
    try {
      last = read(file);
      isAway = false;
    } catch (error) {
      if (!isAway) logger.error({ err: error, file }, 'a password cannot be read: the last one is used');
      isAway = true;
    }
    return last;
  };
}

function read(file: string): string {
  const secret = readSecret(file);
  if (secret === '') throw new Error(`${file} is empty`);
  return secret;
}
