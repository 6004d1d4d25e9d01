/** A file without a role suffix is pure: it calls no clock and no randomness. (What it imports, the dependency rules check.) */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../local/settings.ts';
import { sourceFiles } from './sources.ts';

const ROLE =
  /(^|\/)(main|config|index)\.ts$|\.(controller|service|repository|entity|module|consumer|guard|filter|interceptor|listener|store|client|migration|command|provider|spec|fixture|d)\.ts$/;
const CLOCK_OR_CHANCE =
  /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bprocess\.hrtime\b|\bMath\.random\(|\brandom(Bytes|UUID|Int|FillSync|Fill)\(|\bgetRandomValues\(|\bgenerateKey(Pair)?(Sync)?\(|\bset(Timeout|Interval|Immediate)\(/;

export function impureFiles(): string[] {
  return sourceFiles().flatMap((path) => {
    if (!/^(apps|libs)\/[^/]+\/src\//.test(path) || path.startsWith('libs/testing/') || ROLE.test(path)) return [];
    return impureLines(readFileSync(join(PROJECT, path), 'utf8')).map((line) => `${path}:${line}`);
  });
}

/** `"<line number>: <what it calls>"` for each call of a clock or of randomness. Comments do not call. */
export function impureLines(text: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    const code = line.replace(/^\s*(\/?\*|\/\/).*$/, '').replace(/\s\/\/ .*$/, '');
    const call = CLOCK_OR_CHANCE.exec(code)?.[0];
    return call ? [`${index + 1}: calls ${call.replace(/\($/, '')}`] : [];
  });
}
