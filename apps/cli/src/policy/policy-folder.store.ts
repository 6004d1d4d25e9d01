import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PolicyCase } from '@outrider/policy';
import { z } from 'zod';
import { UsageError } from '../exit-code.js';

const SUFFIX = '.cedar';
const SCHEMA = 'schema.cedarschema';

export interface PolicyFolder {
  /** Undefined: the one in force stays. */
  readonly schema: string | undefined;
  readonly policies: Readonly<Record<string, string>>;
}

/** Each `<id>.cedar` of the folder, and `schema.cedarschema` if it is there. */
export function readPolicies(folder: string): PolicyFolder {
  const files = namesIn(folder).filter((name) => name.endsWith(SUFFIX));
  if (files.length === 0) throw new UsageError(`${folder} holds no ${SUFFIX} file`);
  const policies = files
    .sort()
    .map((name) => [name.slice(0, -SUFFIX.length), readFileSync(join(folder, name), 'utf8')]);
  const schemaFile = join(folder, SCHEMA);
  const schema = existsSync(schemaFile) ? readFileSync(schemaFile, 'utf8') : undefined;
  return { schema, policies: Object.fromEntries(policies) };
}

/** The cases of `tests/*.json`: each file a list of them. */
export function readCases(folder: string): PolicyCase[] {
  const tests = join(folder, 'tests');
  return namesIn(tests)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .flatMap((name) => casesOf(join(tests, name)));
}

function casesOf(file: string): PolicyCase[] {
  const parsed = z.array(PolicyCase).safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (parsed.success) return parsed.data;
  throw new UsageError(`${file}: ${z.prettifyError(parsed.error)}`);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    throw new UsageError(`${folder} cannot be read: ${(cause as Error).message}`);
  }
}
