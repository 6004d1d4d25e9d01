/** Holds the sources below a folder against the rules. */
import './with-typescript-6.ts';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { RULES } from './rules.ts';

export interface BrokenRule {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
}

/** Every broken rule below `root`. Throws when the sources cannot be read. */
export async function brokenRules(root: string): Promise<BrokenRule[]> {
  const before = process.cwd();
  process.chdir(root); // dependency-cruiser names files from where the process stands
  try {
    const folders = ['apps', 'libs', 'tools', 'e2e', 'bench'].filter((name) => existsSync(join(root, name)));
    const { output } = await cruise(
      folders,
      {
        ruleSet: { forbidden: [...RULES] },
        validate: true,
        doNotFollow: { path: '(^|/)(node_modules|dist)/' },
        tsPreCompilationDeps: true,
      },
      {
        exportsFields: ['exports'],
        conditionNames: ['types', 'import', 'node', 'default'],
        extensions: ['.ts', '.mjs', '.js', '.json'],
      },
    );
    return (output as ICruiseResult).summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to }));
  } finally {
    process.chdir(before);
  }
}
