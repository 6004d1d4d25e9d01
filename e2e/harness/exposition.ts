/** What a service tells Prometheus: the text format, read. */

import { SERVICES, type Service } from './endpoints.js';
import { plain } from './operator.js';

export interface Sample {
  /** With `_bucket`, `_sum` or `_count` where its family is a histogram. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly Sample[];
}

/** Throws for a line that is none of the format. */
export function parseExposition(text: string): Family[] {
  const families: (Family & { samples: Sample[] })[] = [];
  for (const line of text.split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') families.push({ name, help: rest, type: 'untyped', samples: [] });
    else if (keyword === 'TYPE') Object.assign(families.at(-1) ?? {}, { type: rest });
    else if (line !== '' && !line.startsWith('#')) families.at(-1)?.samples.push(sampleOf(line));
  }
  return families;
}

export async function scrape(service: Service): Promise<Family[]> {
  const { status, bytes } = await plain(service, '/metrics');
  if (status !== 200) throw new Error(`${service}/metrics answers ${status}`);
  return parseExposition(bytes.toString());
}

/** Of every service, with whose they are. */
export async function scrapeAll(): Promise<(Family & { service: Service })[]> {
  const all = await Promise.all(SERVICES.map(async (service) => ({ service, families: await scrape(service) })));
  return all.flatMap(({ service, families }) => families.map((family) => ({ ...family, service })));
}

/** The sum of what these labels select; 0 where there is nothing. */
export async function total(service: Service, name: string, labels: Record<string, string> = {}): Promise<number> {
  const samples = (await scrape(service)).flatMap((family) => family.samples);
  const wanted = samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  return wanted.reduce((sum, { value }) => sum + value, 0);
}

function sampleOf(line: string): Sample {
  const [, name = '', labels = '', value = ''] = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === '') throw new Error(`no line of Prometheus: ${line}`);
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', text = '']) => [
    key,
    text.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped)),
  ]);
  return { name, labels: Object.fromEntries(pairs), value: value === '+Inf' ? Infinity : Number(value) };
}
