/** Puts together what two listeners or services have in common. */
import type { Operation } from './operation.js';
import type { JsonSchema } from './schemas.js';

/** One operation for the same path and method on two listeners, or of two services: whoever asks either finds it here. */
export function combine(a: Operation, b: Operation): Operation {
  const responses: Record<string, JsonSchema> = { ...a.responses };
  for (const [status, response] of Object.entries(b.responses)) {
    const there = responses[status];
    responses[status] = there ? eitherResponse(there, response) : response;
  }
  const body = eitherBody(a.requestBody as JsonSchema | undefined, b.requestBody as JsonSchema | undefined);
  return {
    ...a,
    tags: union(a.tags, b.tags),
    'x-outrider-listeners': union(a['x-outrider-listeners'], b['x-outrider-listeners']),
    servers: union(a.servers, b.servers),
    security: union(a.security, b.security),
    parameters: union(a.parameters, b.parameters),
    ...(body ? { requestBody: body } : {}),
    responses,
  };
}

function eitherResponse(a: JsonSchema, b: JsonSchema): JsonSchema {
  if (isSame(a, b)) return a;
  const content = eitherContent(a.content as Content | undefined, b.content as Content | undefined);
  const descriptions = [...new Set(`${a.description}\n\n${b.description}`.split('\n\n'))];
  const headers = { ...(a.headers as JsonSchema), ...(b.headers as JsonSchema) };
  return { ...a, description: descriptions.join('\n\n'), headers, ...(content ? { content } : {}) };
}

function eitherBody(a: JsonSchema | undefined, b: JsonSchema | undefined): JsonSchema | undefined {
  if (!a || !b || isSame(a, b)) return a ?? b;
  const required = a.required === true && b.required === true;
  return { required, content: eitherContent(a.content as Content, b.content as Content) };
}

type Content = Readonly<Record<string, { readonly schema?: JsonSchema }>>;

function eitherContent(a: Content | undefined, b: Content | undefined): Content | undefined {
  if (!a || !b) return a ?? b;
  const content: Record<string, { schema?: JsonSchema }> = { ...a };
  for (const [type, { schema }] of Object.entries(b)) {
    const there = content[type]?.schema;
    if (!there || !schema) content[type] = schema ? { schema } : {};
    else if (!isSame(there, schema)) content[type] = { schema: { anyOf: [...alternatives(there), schema] } };
  }
  return content;
}

function alternatives(schema: JsonSchema): readonly JsonSchema[] {
  return Object.keys(schema).length === 1 && Array.isArray(schema.anyOf) ? (schema.anyOf as JsonSchema[]) : [schema];
}

function union(a: unknown, b: unknown): unknown[] {
  const all = [...(a as unknown[]), ...(b as unknown[])];
  return all.filter((one, index) => all.findIndex((other) => isSame(other, one)) === index);
}

export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
