/** Runs the product's own commands: tools imports none of the product's code. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './failure.ts';
import { PROJECT } from './settings.ts';

/** The absolute path of a built file, e.g. `apps/token/dist/main.js`. Throws a Failure when it is not built. */
export function built(path: string): string {
  const file = join(PROJECT, path);
  if (!existsSync(file)) throw new Failure(`${path} is not built; run: npm run build`);
  return file;
}

/** What the product's processes get: compiled code is kept from one start to the next. */
export function productEnv(): NodeJS.ProcessEnv {
  return { ...process.env, NODE_COMPILE_CACHE: join(PROJECT, '.nx', 'compile-cache') };
}

/** Runs a built command to its end and returns its standard output. Throws a Failure with what it said when it fails. */
export async function runProduct(path: string, args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [built(path), ...args], {
    cwd: PROJECT,
    env: productEnv(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, said] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const code = await new Promise<number | string>((done, failed) => {
    child.once('error', failed);
    child.once('close', (exit, signal) => done(exit ?? signal ?? 1));
  });
  if (code === 0) return out;
  const words = (said || out).trim().split('\n').slice(-30).join('\n');
  if (/ENOSPC|no space left/i.test(words)) throw new Failure(`The disk is full: ${path} said\n${words}`);
  throw new Failure(`${path} failed (exit ${code}):\n${words}`);
}
