/**
 * `npm run bench [-- NAME... [--json] [--OPTION VALUE]]`: every benchmark in turn, or those whose path holds one of the names; the soak, of
 * half an hour, only by its name. Never part of the tests.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, runCommand } from '../local/failure.ts';
import { PROJECT } from '../local/settings.ts';

await runCommand(async () => {
  const { names, options } = split(process.argv.slice(2));
  const dist = join(PROJECT, 'bench', 'dist');
  const found = existsSync(dist) ? readdirSync(dist, { recursive: true }).map(String) : [];
  const files = found
    .filter(
      (file) =>
        file.endsWith('.bench.js') &&
        (names.length === 0 ? !file.startsWith('soak') : names.some((name) => file.includes(name))),
    )
    .sort();
  if (files.length === 0)
    throw new Failure(`There is no benchmark${names.length > 0 ? ` named ${names.join(' or ')}` : ''}.`);
  let failed = 0;
  for (const file of files) {
    if (options.length === 0) console.log(`\n${file.replace(/\.bench\.js$/, '')}`);
    const { status } = spawnSync(process.execPath, ['--expose-gc', join(dist, file), ...options], { stdio: 'inherit' });
    if (status !== 0) failed += 1;
  }
  return failed === 0 ? 0 : 1;
});

/** `--minutes 5` is one option of two words; `--json` is one of one. */
function split(words: readonly string[]): { names: string[]; options: string[] } {
  const names: string[] = [];
  const options: string[] = [];
  for (const [index, word] of words.entries()) {
    const isValue = /^\d/.test(word) && words[index - 1]?.startsWith('--');
    (word.startsWith('--') || isValue ? options : names).push(word);
  }
  return { names, options };
}
