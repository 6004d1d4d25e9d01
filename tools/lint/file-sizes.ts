/** No file longer than 400 lines: by then it holds two things. Generated files and migrations are let off. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../local/settings.ts';
import { sourceFiles } from './sources.ts';

const LIMIT_LINES = 400;
const LET_OFF = /\.(migration|generated)\.ts$/;

export function oversizeFiles(): string[] {
  return sourceFiles().flatMap((path) => {
    if (LET_OFF.test(path)) return [];
    const lines = readFileSync(join(PROJECT, path), 'utf8').split('\n').length - 1;
    return lines > LIMIT_LINES ? [`${path}: ${lines} lines, at most ${LIMIT_LINES}`] : [];
  });
}
