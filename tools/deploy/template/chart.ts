/** Reads a Helm chart and renders it with values: `helm template` without Helm, for what this chart uses of it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execute } from './evaluate.ts';
import { isMap, mergeOver, parseYaml } from './functions.ts';
import { type Node, parseTemplate } from './parse.ts';

type Values = Record<string, unknown>;

export interface Release {
  readonly name: string;
  readonly namespace: string;
}

export interface Manifest {
  /** Of the template that it comes from, below `templates/`. */
  readonly template: string;
  readonly object: KubernetesObject;
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** Every object of the chart in `folder`, in the order of its templates' names; `above` goes over the chart's own values. */
export function renderChart(folder: string, above: readonly Values[], release: Release): Manifest[] {
  const values = mergedValues(folder, above);
  const files = templatesOf(folder);
  const parsed = files.map(
    (file) => [file, parseTemplate(readFileSync(join(folder, 'templates', file), 'utf8'))] as const,
  );
  const definitions = new Map<string, readonly Node[]>();
  for (const [, { defined }] of parsed) for (const [name, nodes] of defined) definitions.set(name, nodes);
  return parsed
    .filter(([file]) => /\.yaml$/.test(file))
    .flatMap(([file, { nodes }]) => {
      try {
        const text = execute(nodes, { ...context(folder, release), Values: structuredClone(values) }, definitions);
        return objectsOf(text).map((object) => ({ template: file, object }));
      } catch (cause) {
        throw new Error(`templates/${file}: ${(cause as Error).message}`, { cause });
      }
    });
}

/** The chart's values with those above them; a null above takes a key away. */
export function mergedValues(folder: string, above: readonly Values[]): Values {
  const own = parseYaml(readFileSync(join(folder, 'values.yaml'), 'utf8')) as Values;
  return withoutNulls(above.reduce<Values>((below, values) => mergeOver(below, structuredClone(values)), own));
}

function withoutNulls(values: Values): Values {
  const kept = Object.entries(values).filter(([, value]) => value !== null);
  return Object.fromEntries(kept.map(([key, value]) => [key, isMap(value) ? withoutNulls(value) : value]));
}

function context(folder: string, release: Release): Values {
  const chart = parseYaml(readFileSync(join(folder, 'Chart.yaml'), 'utf8')) as {
    name: string;
    version: string;
    appVersion: string;
  };
  return {
    Chart: { Name: chart.name, Version: chart.version, AppVersion: chart.appVersion },
    Release: { Name: release.name, Namespace: release.namespace, Service: 'Helm', IsInstall: true, IsUpgrade: false },
    Files: {
      Get: (path: string) => {
        const file = join(folder, path);
        return existsSync(file) ? readFileSync(file, 'utf8') : '';
      },
    },
  };
}

function templatesOf(folder: string): string[] {
  return readdirSync(join(folder, 'templates'), { recursive: true })
    .map(String)
    .filter((name) => /\.(yaml|tpl)$/.test(name))
    .sort();
}

function objectsOf(text: string): KubernetesObject[] {
  return text
    .split(/^---\s*$/m)
    .map((document) => parseYaml(document) as KubernetesObject | null)
    .filter((object) => object !== null && object !== undefined);
}
