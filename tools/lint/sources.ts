/** The source files that the project's own rules are about. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../local/settings.ts';

/** Paths of code, tracked or about to be, relative to the project. */
export function sourceFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: PROJECT,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  return listed.split('\0').filter((path) => /\.(ts|mjs|js|tsx|sh)$/.test(path) && existsSync(join(PROJECT, path)));
}
