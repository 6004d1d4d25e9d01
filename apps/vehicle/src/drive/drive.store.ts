/** Loads a drive from a file by its ending, within bounds. */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseCsvDrive } from './csv.js';
import { type Drive, MAX_DRIVE_BYTES, recordedDrive } from './drive.js';
import { parseGpxDrive } from './gpx.js';
import { simulatedDrive } from './simulated.js';

/** `path` undefined: the simulated drive of this seed. Throws an Error whose message names the file and what is wrong in it. */
export async function loadDrive(path: string | undefined, seed: string): Promise<Drive> {
  if (path === undefined) return simulatedDrive(seed);
  const { size } = await stat(path);
  if (size > MAX_DRIVE_BYTES) throw new Error(`${path}: larger than ${MAX_DRIVE_BYTES} bytes`);
  const text = await readFile(path, 'utf8');
  const gpx = path.toLowerCase().endsWith('.gpx');
  try {
    const samples = gpx ? parseGpxDrive(text) : parseCsvDrive(text);
    return recordedDrive(gpx ? 'gpx' : 'csv', basename(path), samples);
  } catch (cause) {
    if (cause instanceof RangeError) throw new Error(`${path}: ${cause.message}`, { cause });
    throw cause;
  }
}
