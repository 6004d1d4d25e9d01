/**
 * `npm run audit`: asks the registry what is known against the packages that are locked, and checks its signatures of them: of
 * the workspace, and of the Node and pnpm that everything runs on. Exit code 0: nothing, 1: something, 3: it could not be asked.
 * No test: what the registry answers changes without a change here, and a build may have no way to it.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { runCommand } from '../local/failure.ts';
import { PROJECT } from '../local/settings.ts';

type Verdict = 'nothing' | 'something' | 'no answer';

interface Question {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly folder: string;
  /** What an answer without news has in its output; exit code 0 alone also stands for "nobody answered". */
  readonly good: RegExp;
  readonly bad: RegExp;
}

const BOOTSTRAP = join(PROJECT, 'tools', 'bootstrap');

const QUESTIONS: readonly Question[] = [
  {
    name: 'known vulnerabilities of what the product ships with',
    program: 'pnpm',
    args: ['audit', '--prod'],
    folder: PROJECT,
    good: /No known vulnerabilities found/,
    bad: /\d+ vulnerabilit(y|ies) found/,
  },
  {
    name: 'known vulnerabilities of what it is built and tested with',
    program: 'pnpm',
    args: ['audit', '--dev'],
    folder: PROJECT,
    good: /No known vulnerabilities found/,
    bad: /\d+ vulnerabilit(y|ies) found/,
  },
  {
    name: "the registry's signatures of the packages",
    program: 'pnpm',
    args: ['audit', 'signatures'],
    folder: PROJECT,
    good: /[1-9]\d* packages? ha(s|ve) (a )?verified registry signatures?/,
    bad: /(invalid|missing) registry signatures?/,
  },
  {
    name: "the registry's signatures of the pinned Node and pnpm",
    program: 'npm',
    args: ['audit', 'signatures'],
    folder: BOOTSTRAP,
    good: /[1-9]\d* packages? ha(s|ve) (a )?verified registry signatures?/,
    bad: /(invalid|missing) registry signatures?/,
  },
];

await runCommand(async () => {
  const verdicts = QUESTIONS.map(ask);
  if (verdicts.includes('something')) return 1;
  return verdicts.includes('no answer') ? 3 : 0;
});

function ask({ name, program, args, folder, good, bad }: Question): Verdict {
  const { stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: 'utf8', timeout: 120_000 });
  const output = `${stdout ?? ''}${stderr ?? ''}`.trim();
  const verdict = bad.test(output) ? 'something' : good.test(output) ? 'nothing' : 'no answer';
  const said = { nothing: 'ok       ', something: 'FOUND    ', 'no answer': 'no answer' }[verdict];
  console.log(`${said}  ${name}`);
  if (verdict !== 'nothing') console.log(output.replace(/^/gm, '           '));
  return verdict;
}
