/** The functions of Go's templates, of Sprig and of Helm that the chart uses, with the results that they have there. */
import { createHash } from 'node:crypto';
import { parse, stringify } from 'yaml';

type Map = Record<string, unknown>;
// biome-ignore lint/suspicious/noExplicitAny: what a template hands over is known to the template alone
type Work = (...values: any[]) => unknown;

export function isMap(value: unknown): value is Map {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Go's idea of truth: not false, zero, nothing, or empty. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isMap(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** As an action prints it. Throws where Go prints what nobody wants in a manifest: a map, a list, a large number as 1e+06. */
export function printed(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'object') throw new Error('a map or a list is printed by toYaml or toJson');
  if (typeof value === 'number' && Math.abs(value) >= 1e6) throw new Error(`${value} is printed by toYaml or toJson`);
  return String(value);
}

/** Helm's `toPrettyJson` and `toJson`: keys in order, and what HTML takes for its own escaped. */
export function goJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(sorted(value ?? null), undefined, indent);
  const escapes: Readonly<Record<string, string>> = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026' };
  return text.replace(/[<>&]/g, (sign) => escapes[sign] as string);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

export function parseYaml(text: string): unknown {
  return parse(text, { version: '1.1', merge: true });
}

/** Sprig's and Helm's merging: maps to any depth, everything else is taken whole. */
export function mergeOver(below: Map, above: Map): Map {
  for (const [key, value] of Object.entries(above)) {
    const there = below[key];
    below[key] = isMap(there) && isMap(value) ? mergeOver(there, value) : value;
  }
  return below;
}

function indented(spaces: number, text: string): string {
  return text.replace(/^/gm, ' '.repeat(spaces));
}

function numbers(compare: (a: number, b: number) => boolean): Work {
  return (a: number, b: number) => compare(a, b);
}

export const FUNCTIONS: Readonly<Record<string, Work>> = {
  // Go
  and: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (...values) => values.find(isTrue) ?? values.at(-1),
  not: (value) => !isTrue(value),
  eq: (first, ...others) => others.some((other) => other === first),
  ne: (a, b) => a !== b,
  lt: numbers((a, b) => a < b),
  le: numbers((a, b) => a <= b),
  gt: numbers((a, b) => a > b),
  ge: numbers((a, b) => a >= b),
  len: (value: object | string) => (typeof value === 'string' ? Buffer.byteLength(value) : Object.keys(value).length),
  index: (value, ...keys) => keys.reduce((at, key) => at?.[key], value),
  printf: (format: string, ...values) => format.replace(/%[sdvq%]/g, (verb) => formatted(verb, values)),
  print: (...values) => values.map(printed).join(''),
  // Helm
  required: (message: string, value) => {
    if (value === undefined || value === null || value === '') throw new Error(message);
    return value;
  },
  fail: (message: string) => {
    throw new Error(message);
  },
  toYaml: (value) => stringify(value, { lineWidth: 0, version: '1.1' }).trimEnd(),
  fromYaml: parseYaml,
  toJson: (value) => goJson(value),
  toPrettyJson: (value) => goJson(value, 2),
  // Sprig: text
  quote: (...values) =>
    values
      .filter((value) => value != null)
      .map((value) => JSON.stringify(String(value)))
      .join(' '),
  indent: (spaces: number, text: string) => indented(spaces, text),
  nindent: (spaces: number, text: string) => `\n${indented(spaces, text)}`,
  trim: (text: string) => text.trim(),
  trunc: (length: number, text: string) => text.slice(0, length),
  trimSuffix: (suffix: string, text: string) => (text.endsWith(suffix) ? text.slice(0, -suffix.length) : text),
  trimPrefix: (prefix: string, text: string) => (text.startsWith(prefix) ? text.slice(prefix.length) : text),
  hasPrefix: (prefix: string, text: string) => text.startsWith(prefix),
  contains: (part: string, text: string) => text.includes(part),
  replace: (from: string, to: string, text: string) => text.replaceAll(from, to),
  lower: (text: string) => text.toLowerCase(),
  // Of one value that is no list, that value.
  join: (separator: string, values: unknown) =>
    (Array.isArray(values) ? values : [values]).map(printed).join(separator),
  toString: (value: unknown) => printed(value),
  sha256sum: (text: string) => createHash('sha256').update(text).digest('hex'),
  // Sprig: numbers
  int: (value) => Math.trunc(Number(value ?? 0)),
  add: (...values) => values.reduce((sum, value) => sum + Math.trunc(Number(value)), 0),
  mul: (...values) => values.reduce((product, value) => product * Math.trunc(Number(value)), 1),
  div: (a, b) => Math.trunc(Math.trunc(Number(a)) / Math.trunc(Number(b))),
  max: (...values) => Math.max(...values.map((value) => Math.trunc(Number(value)))),
  // Sprig: values
  default: (fallback, value) => (isTrue(value) ? value : fallback),
  empty: (value) => !isTrue(value),
  ternary: (yes, no, condition: boolean) => (condition ? yes : no),
  dict: (...pairs) => {
    const made: Map = {};
    for (let i = 0; i < pairs.length; i += 2) made[String(pairs[i])] = pairs[i + 1] ?? '';
    return made;
  },
  list: (...values) => values,
  append: (values: unknown[], value) => [...values, value],
  concat: (...lists: unknown[][]) => lists.flat(1),
  has: (value: unknown, values: unknown[]) => values.includes(value),
  hasKey: (map: Map, key: string) => Object.hasOwn(map, key),
  get: (map: Map, key: string) => map[key] ?? '',
  keys: (map: Map) => Object.keys(map),
  sortAlpha: (values: string[]) => [...values].sort(),
  set: (map: Map, key: string, value) => {
    map[key] = value;
    return map;
  },
  deepCopy: (value) => structuredClone(value),
  mergeOverwrite: (below: Map, ...above: Map[]) => above.reduce<Map>(mergeOver, below),
};

function formatted(verb: string, values: unknown[]): string {
  if (verb === '%%') return '%';
  const value = values.shift();
  return verb === '%q' ? JSON.stringify(value) : printed(value);
}
