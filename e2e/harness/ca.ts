/** `npm run -s ca -- ...` against the suite that is driven. */
import { join } from 'node:path';
import { HOME, PROJECT } from './endpoints.js';
import { type Finished, must, run } from './run.js';

const COMMAND = join(PROJECT, 'tools/commands/ca.ts');
const OPTIONS = { env: { OUTRIDER_HOME: HOME }, timeoutMs: 120_000 };

/** Any exit code. */
export function ca(...args: string[]): Promise<Finished> {
  return run(process.execPath, [COMMAND, ...args], OPTIONS);
}

export interface CaStep {
  readonly generations: Readonly<Record<string, string>>;
  readonly made: readonly string[];
  readonly servers: readonly string[];
}

/** What a step printed, its lines as one; rejects with what it said where it fails. */
export async function caStep(...args: string[]): Promise<CaStep> {
  const { stdout } = await must(process.execPath, [COMMAND, ...args], OPTIONS);
  return Object.assign(
    {},
    ...stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
}

/** The number of the generation that signs. */
export async function activeGeneration(authority: string): Promise<number> {
  const { stdout } = await must(process.execPath, [COMMAND, 'show'], OPTIONS);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return lines.find((line) => line.authority === authority && line.state === 'active').generation;
}
