/** Every test that docs/threat-model.md names is there, and every threat names one or says that there is none. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../local/settings.ts';

const PAGE = 'docs/threat-model.md';
const NAMED = /`((?:apps|e2e|libs|tools)\/[^`]+\.ts)`(?:: "([^"]+)")?/g;
const ATTACK = /\battack (\d+)\b/g;
const THREAT = /^\| [STRIDE](, [STRIDE])* \|/;
const TEST_COLUMN = 4;

/** What is named and is not there. `read`: a file's text, or undefined. */
export function lostTests(
  page: string,
  attacks: ReadonlySet<string>,
  read: (path: string) => string | undefined,
): string[] {
  return page.split('\n').flatMap((line, index) => {
    const found: string[] = [];
    const where = `${PAGE}:${index + 1}`;
    for (const [, path = '', title] of line.matchAll(NAMED)) {
      const text = read(path);
      if (text === undefined) found.push(`${where}: there is no ${path}`);
      else if (title && !text.includes(title)) found.push(`${where}: ${path} has no "${title}"`);
    }
    for (const [, row = ''] of line.matchAll(ATTACK)) {
      if (!attacks.has(row)) found.push(`${where}: there is no attack ${row}`);
    }
    const test = line.split(' | ')[TEST_COLUMN - 1] ?? '';
    if (THREAT.test(line) && test.search(NAMED) < 0 && test.search(ATTACK) < 0 && !test.startsWith('no test of ours')) {
      found.push(`${where}: no test is named`);
    }
    return found;
  });
}

export function threatModelFindings(): string[] {
  const read = (path: string) =>
    existsSync(join(PROJECT, path)) ? readFileSync(join(PROJECT, path), 'utf8') : undefined;
  const sources = globSync('e2e/attacks/[0-9]*.ts', { cwd: PROJECT }).map((path) => read(path) ?? '');
  const rows = sources.flatMap((text) => [...text.matchAll(/= attack\(\s*(\d+),/g)].map(([, row = '']) => row));
  const page = read(PAGE) ?? '';
  const planted =
    '| S | a | b | attack 999, `apps/none.spec.ts`, `docs/../tools/run.mjs` | c | |\n| T | a | b |  | c | |';
  const missed =
    lostTests(planted, new Set(rows), read).length === 3 ? [] : [`${PAGE}: the check misses what is planted`];
  return [...lostTests(page, new Set(rows), read), ...missed];
}
