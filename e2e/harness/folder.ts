/** A folder for what one spec file, or one program, makes; gone when it ends. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const FOLDER = mkdtempSync(join(tmpdir(), 'outrider-e2e-'));
const remove = () => rmSync(FOLDER, { recursive: true, force: true });
// Jest gives `afterAll` as a global; the demo and the attacks run without Jest.
const { afterAll } = globalThis as { afterAll?: (hook: () => void) => void };
if (afterAll) afterAll(remove);
else process.once('exit', remove);

export function inFolder(...names: string[]): string {
  return join(FOLDER, ...names);
}

/** Writes a file there and returns its path. */
export function file(name: string, content: string | Uint8Array): string {
  const path = inFolder(name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

/** A device id that no earlier run against the same suite has used. */
export function newDeviceId(name: string): string {
  return `e2e-${name}-${randomBytes(4).toString('hex')}`;
}
