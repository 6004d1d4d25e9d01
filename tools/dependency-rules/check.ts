/** `check.ts [--self-test]`: exits 1 with each broken rule, or with each rule that does not work. */
import { dirname } from 'node:path';
import { brokenRules } from './cruise.ts';
import { selfTest } from './self-test.ts';

const root = dirname(dirname(import.meta.dirname));
const problems = process.argv.includes('--self-test')
  ? await selfTest()
  : (await brokenRules(root)).map(({ rule, from, to }) => `${rule}: ${from} -> ${to}`);
for (const problem of problems) console.log(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
