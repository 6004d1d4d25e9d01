/** The operator's command line, as an operator runs it. */
import { join } from 'node:path';
import { ENDPOINTS_FILE, PROJECT } from './endpoints.js';
import { type Finished, run } from './run.js';

/** Any exit code. */
export function outrider(...args: string[]): Promise<Finished> {
  return run(process.execPath, [join(PROJECT, 'apps/cli/dist/main.js'), ...args], {
    env: { OUTRIDER_ENDPOINTS: ENDPOINTS_FILE },
    timeoutMs: 90_000,
  });
}

/** What it answers with `--json`; rejects with what it said where it fails. */
export async function outriderJson<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await outrider(...args, '--json');
  if (code !== 0) throw new Error(`outrider ${args.join(' ')}: exit ${code}\n${stderr}${stdout}`);
  return JSON.parse(stdout) as T;
}
