/** The chart's values from files and the command line, held against its schema; its objects, written out as plain manifests. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { stringify } from 'yaml';
import { Failure, inWords } from '../../local/failure.ts';
import { PROJECT } from '../../local/settings.ts';
import { type Manifest, mergedValues, type Release, renderChart } from '../template/chart.ts';
import { isMap, parseYaml } from '../template/functions.ts';

export const CHART = join(PROJECT, 'deploy', 'helm', 'outrider');

export interface RenderOptions {
  /** Files of values, the later over the earlier. */
  readonly files: readonly string[];
  /** `a.b.c=value`, over the files. */
  readonly sets: readonly string[];
  readonly release: Release;
}

/** Throws a Failure for values that the chart's schema refuses, and for what its templates refuse. Hooks, which only Helm runs, are left out. */
export function renderOutrider({ files, sets, release }: RenderOptions): Manifest[] {
  try {
    const above = readAbove(files, sets);
    requireFit(mergedValues(CHART, above));
    return renderChart(CHART, above, release).filter(({ object }) => !object.metadata.annotations?.['helm.sh/hook']);
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(inWords(error));
  }
}

/** The values over the chart's own: of files, the later over the earlier, and `a.b.c=value` over them. */
export function readAbove(files: readonly string[], sets: readonly string[]): Record<string, unknown>[] {
  return [...files.map(readValues), ...sets.map(settingOf)];
}

const HEADER = '# Written by npm run deploy:render.\n';

/** Returns how many files were written. Those of an earlier run in the folder go; what somebody else put there stays. */
export function writeManifests(manifests: readonly Manifest[], folder: string | undefined): number {
  const text = (some: readonly Manifest[]) =>
    some.map(({ object }) => `---\n${stringify(object, { lineWidth: 0, version: '1.1' })}`).join('');
  if (folder === undefined) {
    process.stdout.write(text(manifests));
    return 0;
  }
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder).filter((one) => one.endsWith('.yaml'))) {
    const file = join(folder, name);
    if (readFileSync(file, 'utf8').startsWith(HEADER)) rmSync(file);
  }
  const templates = [...new Set(manifests.map(({ template }) => template))];
  for (const template of templates) {
    const name = template.replaceAll('/', '-');
    writeFileSync(join(folder, name), HEADER + text(manifests.filter((one) => one.template === template)));
  }
  return templates.length;
}

function readValues(file: string): Record<string, unknown> {
  const values = read(file, () => parseYaml(readFileSync(file, 'utf8'))) ?? {};
  if (!isMap(values)) throw new Failure(`${file}: not a map of values`);
  return values;
}

/** @throws Failure for a file that cannot be read, and for what is no YAML */
function read(what: string, reading: () => unknown): unknown {
  try {
    return reading();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Failure(code === 'ENOENT' ? `${what}: there is no such file of values` : `${what}: ${message.trimEnd()}`);
  }
}

function settingOf(text: string): Record<string, unknown> {
  const [, path, value = ''] = /^([^=]+)=([\s\S]*)$/.exec(text) ?? [];
  if (!path) throw new Failure(`--set ${text}: not KEY=VALUE`);
  return path
    .split('.')
    .reduceRight<unknown>(
      (below, key) => ({ [key]: below }),
      read(`--set ${text}`, () => parseYaml(value)) ?? null,
    ) as Record<string, unknown>;
}

/** As Helm does before it renders. */
function requireFit(values: Record<string, unknown>): void {
  const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as object;
  const check = new Ajv({ allErrors: true, strict: true, strictTypes: false }).compile(schema);
  if (check(values)) return;
  const complaints = (check.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `  ${instancePath.slice(1).replaceAll('/', '.') || '(values)'}: ${message} ${JSON.stringify(params)}`,
  );
  throw new Failure(`The values do not fit deploy/helm/outrider/values.schema.json:\n${complaints.join('\n')}`);
}
