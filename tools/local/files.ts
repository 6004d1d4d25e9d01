/** Files that are either whole or not there, and secrets that only their owner reads. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from './failure.ts';

/** Writes through a neighbour and a rename: a crash or a full disk leaves the old file, never half of the new one. */
export function writeWhole(file: string, text: string, mode = 0o600): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const neighbour = `${file}.${process.pid}.new`;
  try {
    writeFileSync(neighbour, text, { mode });
    chmodSync(neighbour, mode);
    renameSync(neighbour, file);
  } catch (error) {
    rmSync(neighbour, { force: true });
    throw error;
  }
}

/** The secret in `file`, made up on first use: 32 random bytes in hex. */
export function secret(file: string): string {
  if (!existsSync(file)) writeWhole(file, `${randomBytes(32).toString('hex')}\n`);
  return readFileSync(file, 'utf8').trim();
}

export function readJson<T>(file: string): T | undefined {
  if (!existsSync(file)) return undefined;
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}

/** Throws a Failure unless the disk below `folder` has room for `mebibytes`. */
export function requireRoom(folder: string, mebibytes: number): void {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  const free = Math.floor((bavail * bsize) / 2 ** 20);
  if (free >= mebibytes) return;
  throw new Failure(
    `The disk is full: ${join(folder)} needs ${mebibytes} MiB to start with, and ${free} MiB are free. ` +
      'Make room, or point OUTRIDER_HOME at another disk.',
  );
}
