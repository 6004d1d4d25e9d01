/** JSON Schema 2020-12 (what OpenAPI 3.1 speaks) from zod schemas; those with an id become components, once for all routes. */
import { z } from 'zod';

export type JsonSchema = { readonly [keyword: string]: unknown };

/** Collects what is named while schemas are converted. */
export class Schemas {
  private readonly named = new Map<string, JsonSchema>();

  /** `input`: what may be sent. `output`: what is answered, to which members may be added later: readers skip what they do not know. */
  convert(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
    const {
      $schema: _,
      $defs = {},
      ...converted
    } = z.toJSONSchema(schema, {
      io,
      unrepresentable: 'any',
      override: ({ jsonSchema }) => tidy(jsonSchema as Record<string, unknown>, io),
    }) as Record<string, unknown>;
    for (const [name, definition] of Object.entries($defs as Record<string, JsonSchema>)) {
      const own = referring(definition) as JsonSchema;
      const known = this.named.get(name);
      if (known && JSON.stringify(known) !== JSON.stringify(own)) throw new Error(`two schemas are called ${name}`);
      this.named.set(name, own);
    }
    return referring(converted) as JsonSchema;
  }

  /** `components.schemas`, by name. */
  components(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.named].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

function tidy(schema: Record<string, unknown>, io: 'input' | 'output'): void {
  if (schema.format === 'date-time') delete schema.pattern;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (io === 'output' && schema.additionalProperties === false) delete schema.additionalProperties;
}

function referring(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(referring);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) =>
      key === '$ref' && typeof one === 'string'
        ? [key, one.replace('#/$defs/', '#/components/schemas/')]
        : [key, referring(one)],
    ),
  );
}
