/** Every check of `npm run lint`: what it is called, and what it finds. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { PROJECT } from '../local/settings.ts';
import { oversizeFiles } from './file-sizes.ts';
import { incompatibleMigrations, misjudgedMigrations } from './migrations.ts';
import { impureFiles } from './purity.ts';
import { RULES } from './supply-chain/rules.ts';
import { missedPlants } from './supply-chain/self-test.ts';
import { readSupplyChain } from './supply-chain/workspace.ts';
import { threatModelFindings } from './threat-model.ts';

export interface CheckResult {
  readonly name: string;
  /** What is wrong, in words; empty when nothing is. */
  readonly findings: string;
  readonly seconds: number;
}

/** Runs them all. Each is one test in the sum of `npm test`. */
export async function runChecks(): Promise<CheckResult[]> {
  const rules = join(PROJECT, 'tools', 'dependency-rules', 'check.ts');
  const bin = (name: string) => join(PROJECT, 'node_modules', '.bin', name);
  return Promise.all([
    check('format and lint', () =>
      run(bin('biome'), ['check', '--colors=off', '--max-diagnostics=50', '--diagnostic-level=error']),
    ),
    check('types of tools', () => run(bin('tsc'), ['-p', 'tools/tsconfig.json', '--pretty', 'false'])),
    check('who may import whom', () => run(process.execPath, [rules])),
    check('the import rules catch what is planted', () => run(process.execPath, [rules, '--self-test'])),
    check('file sizes', async () => oversizeFiles().join('\n')),
    check('no clock and no chance in pure files', async () => impureFiles().join('\n')),
    check('migrations leave the version before at work', async () => incompatibleMigrations().join('\n')),
    check('the rules on migrations catch what is planted', async () => misjudgedMigrations().join('\n')),
    check('the tests that the threat model names', async () => threatModelFindings().join('\n')),
    check('what comes from outside', async () => outsideFindings().join('\n')),
    check('the rules on what comes from outside catch what is planted', async () => missedPlants().join('\n')),
  ]);
}

function outsideFindings(): string[] {
  const chain = readSupplyChain();
  return Object.entries(RULES).flatMap(([rule, find]) => find(chain).map((found) => `${rule}: ${found}`));
}

async function check(name: string, find: () => Promise<string>): Promise<CheckResult> {
  const started = performance.now();
  const findings = await find().catch((error: Error) => error.stack ?? error.message);
  return { name, findings, seconds: (performance.now() - started) / 1000 };
}

/** The output of a program that found something; nothing from one that did not. */
function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((done, failed) => {
    const child = spawn(program, args, { cwd: PROJECT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
      });
    }
    child.once('error', failed);
    child.once('close', (code) => done(code === 0 ? '' : output.trim() || `exit ${code}`));
  });
}

export function printChecks(results: readonly CheckResult[]): void {
  for (const { name, findings, seconds } of results) {
    console.log(`${findings ? 'FAIL' : 'ok  '}  lint: ${name} (${seconds.toFixed(1)} s)`);
    if (findings) console.log(findings.replace(/^/gm, '      '));
  }
}
