/** Runs jest over built tests and reads what it counted. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../local/settings.ts';
import { count, countJest, type JestResults, type Tally } from './tally.ts';

export interface JestRun {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Where its JSON goes. */
  readonly resultFile: string;
}

export async function runJest(tally: Tally, { name, args, env, resultFile }: JestRun): Promise<void> {
  const jest = join(PROJECT, 'node_modules', 'jest', 'bin', 'jest.js');
  const child = spawn(process.execPath, [jest, '--json', `--outputFile=${resultFile}`, '--passWithNoTests', ...args], {
    cwd: PROJECT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const code = await new Promise<number | string>((done, failed) => {
    child.once('error', failed);
    child.once('close', (exit, signal) => done(exit ?? signal ?? 1));
  });
  if (!existsSync(resultFile)) {
    count(tally, `${name}: jest ended (${code}) without results`, code === 0);
    return;
  }
  const before = tally.failed;
  countJest(tally, JSON.parse(readFileSync(resultFile, 'utf8')) as JestResults);
  // It can also fail as a whole: a leaked handle it was told to mind, a broken setup file.
  if (code !== 0 && tally.failed === before) count(tally, `${name}: jest ended with ${code}`, false);
}
