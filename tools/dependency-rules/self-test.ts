/** Plants one violation of each rule, as a value and as a type, in a temporary workspace: a rule that misses its own is no rule. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { brokenRules } from './cruise.ts';
import { RULES } from './rules.ts';

/** What stands in the workspace besides: none of it breaks a rule. */
const GOOD_FILES: Readonly<Record<string, string>> = {
  'libs/ids/src/index.ts': 'export type Id = string; export const id = 1;',
  'libs/contracts/src/index.ts':
    "import type { Id } from '../../ids/src/index.js';\nexport type Contract = Id; export const contract = 1;",
  'libs/platform/package.json':
    '{"name":"@outrider/platform","type":"module","exports":{"./http":{"types":"./dist/http/index.d.ts","default":"./dist/http/index.js"}}}',
  'libs/platform/dist/http/index.js': 'export const on = 1;',
  'libs/platform/dist/http/index.d.ts': 'export declare const on: number; export type On = number;',
  'libs/platform/src/http/on.provider.ts':
    "import { Injectable } from '@nestjs/common';\nexport const on = Injectable; export type On = string;",
  'libs/testing/src/index.ts': 'export const testing = 1; export type Testing = string;',
  'apps/token/src/token.service.ts':
    "import { on } from '@outrider/platform/http';\nimport { decide } from './decide.js';\nexport const service = [on, decide]; export type Service = string;",
  'apps/token/src/decide.ts':
    "import { id } from '../../../libs/ids/src/index.js';\nexport const decide = id; export type Decide = string;",
  'apps/token/src/decide.spec.ts':
    "import { testing } from '../../../libs/testing/src/index.js';\nexport const spec = testing; export type Spec = string;",
  'apps/gateway/src/gateway.service.ts': 'export const gateway = 1; export type Gateway = string;',
  'tools/local/ports.ts': 'export const ports = 1; export type Ports = string;',
  'node_modules/@nestjs/common/package.json': '{"name":"@nestjs/common","main":"index.js","types":"index.d.ts"}',
  'node_modules/@nestjs/common/index.js': 'exports.Injectable = 1;',
  'node_modules/@nestjs/common/index.d.ts': 'export declare const Injectable: number; export type Type = string;',
};

/** Rule -> the file that breaks it, and the module it must not import. */
const PLANTS: readonly (readonly [rule: string, file: string, module: string])[] = [
  ['every-import-resolves', 'libs/ids/src/lost.ts', './nowhere.js'],
  ['only-tests-import-tests', 'apps/token/src/uses-spec.ts', './decide.spec.js'],
  ['only-tests-import-tests', 'apps/token/src/uses-testing.service.ts', '../../../libs/testing/src/index.js'],
  ['pure-libs-import-pure-libs', 'libs/ids/src/uses-contracts.ts', '../../contracts/src/index.js'],
  ['contracts-import-pure-libs', 'libs/contracts/src/uses-app.ts', '../../../apps/token/src/decide.js'],
  [
    'platform-imports-pure-libs-and-contracts',
    'libs/platform/src/http/uses-app.provider.ts',
    '../../../../apps/token/src/decide.js',
  ],
  ['only-platform-and-services-know-nest', 'libs/contracts/src/nest.ts', '@nestjs/common'],
  ['pure-libs-do-no-io', 'libs/ids/src/reads.ts', 'node:fs/promises'],
  ['apps-import-no-tools', 'apps/token/src/uses-tools.service.ts', '../../../tools/local/ports.js'],
  ['apps-import-no-other-app', 'apps/token/src/uses-gateway.service.ts', '../../gateway/src/gateway.service.js'],
  [
    'vehicle-and-cli-import-pure-libs-and-contracts',
    'apps/vehicle/src/uses-platform.service.ts',
    '@outrider/platform/http',
  ],
  ['vehicle-and-cli-know-no-nest', 'apps/cli/src/nest.service.ts', '@nestjs/common'],
  ['tools-import-themselves', 'tools/local/uses-ids.ts', '../../libs/ids/src/index.js'],
  ['unsuffixed-files-are-pure', 'apps/token/src/opens-sockets.ts', 'node:net'],
  ['unsuffixed-files-are-pure', 'apps/token/src/uses-platform.ts', '@outrider/platform/http'],
  ['unsuffixed-files-import-no-shell', 'apps/token/src/uses-service.ts', './token.service.js'],
];

/** Returns what was not caught; empty when every rule works. */
export async function selfTest(): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), 'outrider-dependency-rules-'));
  try {
    for (const [file, text] of Object.entries(GOOD_FILES)) write(root, file, text);
    mkdirSync(join(root, 'node_modules', '@outrider'), { recursive: true });
    symlinkSync(join(root, 'libs', 'platform'), join(root, 'node_modules', '@outrider', 'platform'));
    const before = await brokenRules(root);
    const problems = before.map(({ rule, from, to }) => `${rule} accuses the innocent: ${from} -> ${to}`);
    for (const [, file, module] of PLANTS) {
      write(root, file, `import * as value from '${module}';\nexport default value;`);
      write(root, typed(file), `import type * as types from '${module}';\nexport type All = typeof types;`);
    }
    write(root, 'libs/ids/src/circle-a.ts', "import { b } from './circle-b.js';\nexport const a = b;");
    write(
      root,
      'libs/ids/src/circle-b.ts',
      "import type * as a from './circle-a.js';\nexport const b = 1; export type A = typeof a;",
    );
    const found = await brokenRules(root);
    for (const [rule, file] of [...PLANTS, ['no-circle', 'libs/ids/src/circle-a.ts'] as const]) {
      for (const path of rule === 'no-circle' ? [file] : [file, typed(file)]) {
        if (!found.some((one) => one.rule === rule && one.from === path)) problems.push(`${rule} misses ${path}`);
      }
    }
    const planted = new Set(PLANTS.map(([rule]) => rule).concat('no-circle'));
    for (const { name } of RULES) if (!planted.has(name ?? '')) problems.push(`nothing is planted against ${name}`);
    return problems;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** The same violation, in a file that imports types only. */
function typed(file: string): string {
  return file.replace(/([^/]+)$/, 'types-$1');
}

function write(root: string, file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), `${text}\n`);
}
