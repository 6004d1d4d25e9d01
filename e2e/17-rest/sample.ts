/** Values that a schema takes, and values that it does not. */
import type { Operation, Parameter, Schema } from './document.js';

export type Examples = Readonly<Record<string, string>>;

/** `/v1/devices/device-1?limit=1`; undefined where nothing is known for a parameter. */
export function urlOf(path: string, operation: Operation, examples: Examples, changed: Examples = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(changed[name] ?? exampleOf(name, operation, examples)),
  );
  const query = queryOf(operation)
    .filter(({ required }) => required)
    .map(({ name, schema }) => [name, changed[name] ?? examples[name] ?? sampleOf(schema)]);
  return query.length === 0 ? filled : `${filled}?${new URLSearchParams(query as [string, string][])}`;
}

export function queryOf({ parameters }: Operation): readonly Parameter[] {
  return parameters.filter((parameter) => parameter.in === 'query');
}

function exampleOf(name: string, { parameters }: Operation, examples: Examples): string {
  const parameter = parameters.find((one) => one.in === 'path' && one.name === name);
  return examples[name] ?? sampleOf(parameter?.schema ?? {});
}

function sampleOf({ type, format, enum: values, minimum }: Schema): string {
  if (Array.isArray(values)) return String(values[0]);
  if (format === 'uuid') return '6f1b0f5e-3f53-4a0b-9a3e-2a6f5d0c7b11';
  if (format === 'date-time') return '2030-01-01T00:00:00Z';
  if (type === 'integer' || type === 'number') return String(minimum ?? 1);
  return 'sample';
}

/** A value for a parameter that its schema refuses; undefined where any text is one. */
export function wrongFor({ schema }: Parameter): string | undefined {
  if (schema.type === 'integer' || schema.type === 'number') return 'many';
  return schema.pattern || schema.format || schema.enum ? '\u00ff !wrong!' : undefined;
}
