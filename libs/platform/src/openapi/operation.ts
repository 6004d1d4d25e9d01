/** One route as an OpenAPI operation. */
import { isElevatedScope } from '@outrider/admission';
import { CODES, type ErrorCode } from '@outrider/errors';
import { Service, serviceNumber } from '@outrider/ids';
import { z } from 'zod';
import type { Answer, AnswerDescription, AnswerHeader, RequestHeader } from './description.js';
import { byOAuthStatus, byStatus, isLimited, refusalsOf } from './refusals.js';
import type { Listener, Route } from './route.js';
import type { JsonSchema, Schemas } from './schemas.js';

export type Operation = Record<string, unknown> & {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, JsonSchema>>;
};

const HEADERS: Readonly<Record<AnswerHeader, readonly string[]>> = {
  ETag: ['ETag'],
  'Retry-After': ['Retry-After'],
  RateLimit: ['RateLimit', 'RateLimit-Policy'],
  'DPoP-Nonce': ['DPoP-Nonce'],
  Location: ['Location'],
  'Cache-Control': ['Cache-Control'],
};

const FIRST_PORT: Readonly<Record<Listener, number>> = { vehicle: 8440, operator: 9440, http: 9100 };

/** `/v1/devices/{id}` of `/v1/devices/:id`. */
export function templateOf(path: string): string {
  return path.replace(/:(\w+)/g, '{$1}');
}

export function operationOf(service: string, route: Route, schemas: Schemas): Operation {
  const { description, listener, name, rule } = route;
  const body = bodyOf(route, schemas);
  return {
    operationId: `${service}.${name}`,
    summary: description.summary,
    ...(description.description ? { description: description.description } : {}),
    tags: [`${service} (${listener})`],
    'x-outrider-service': service,
    'x-outrider-listeners': [listener],
    servers: [serverOf(service, listener)],
    security: securityOf(route),
    ...(rule.kind === 'operator' && Object.keys(rule.stepUp).length > 0 ? { 'x-outrider-step-up': rule.stepUp } : {}),
    ...(rule.kind === 'operator' && isElevatedScope(rule.scope) ? { 'x-outrider-elevation': rule.scope } : {}),
    parameters: parametersOf(route, schemas),
    ...(body ? { requestBody: body } : {}),
    responses: { ...answersOf(route, schemas), ...refusals(route) },
  };
}

/** Ports are those of the local default; a deployment has its own. */
function serverOf(service: string, listener: Listener): JsonSchema {
  const port = FIRST_PORT[listener] + serviceNumber(Service.parse(service));
  return {
    url: `${listener === 'http' ? 'http' : 'https'}://{host}:{port}`,
    description: `${service}, ${listener} listener`,
    variables: { host: { default: '127.0.0.1' }, port: { default: String(port) } },
  };
}

function securityOf({ rule }: Route): JsonSchema[] {
  if (rule.kind === 'operator') return [{ operatorToken: [rule.scope] }];
  if (rule.kind === 'certificate') return [{ vehicleCertificate: [] }];
  if (rule.kind === 'token') {
    return [
      { vehicleCertificate: [], vehicleToken: rule.scopes },
      { vehicleCertificate: [], dpopToken: rule.scopes },
    ];
  }
  return [];
}

function parametersOf({ path, inputs, description }: Route, schemas: Schemas): JsonSchema[] {
  const known = new Map(inputs.flatMap((input) => (input.in === 'path' ? [[input.name ?? '', input.schema]] : [])));
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => {
    const schema = known.get(name!) ?? description.path?.[name!] ?? z.string().min(1).max(256);
    return { name, in: 'path', required: true, schema: schemas.convert(schema as z.ZodType, 'input') };
  });
  const query = inputs.find((input) => input.in === 'query')?.schema ?? description.query;
  return [...inPath, ...(query ? inQuery(schemas.convert(query, 'input')) : []), ...headersOf(description.headers)];
}

/** A parameter a member; of alternatives those of each, needed where all of them need it. */
function inQuery(schema: JsonSchema): JsonSchema[] {
  const alternatives = (schema.anyOf ?? schema.oneOf ?? [schema]) as JsonSchema[];
  const found = new Map<string, JsonSchema>();
  for (const { properties = {} } of alternatives)
    for (const [name, one] of Object.entries(properties as Record<string, JsonSchema>)) found.set(name, one);
  const needs = ({ required = [] }: JsonSchema, name: string) => (required as string[]).includes(name);
  return [...found].map(([name, { description, ...one }]) => ({
    name,
    in: 'query',
    required: alternatives.every((alternative) => needs(alternative, name)),
    ...(description ? { description } : {}),
    schema: one,
  }));
}

const WHY: Readonly<Record<string, string>> = {
  'If-Match': 'The ETag of what was seen: changed meanwhile, it is 412.',
  'If-None-Match': 'The ETag of what is there already: unchanged, it is 304.',
  'Idempotency-Key': 'The same key and the same body: the same answer, done once; another body: 422.',
  'Last-Event-ID': 'The id of the last event that was read: the stream goes on behind it.',
  DPoP: 'A proof of possession (RFC 9449).',
};

function headersOf(headers: readonly RequestHeader[] = []): JsonSchema[] {
  return headers.map((header) => {
    const name = header.replace('!', '');
    const schema = name === 'Idempotency-Key' ? { type: 'string', minLength: 1, maxLength: 128 } : { type: 'string' };
    return { name, in: 'header', required: header.endsWith('!'), description: WHY[name], schema };
  });
}

function bodyOf({ inputs, description }: Route, schemas: Schemas): JsonSchema | undefined {
  const read = inputs.find((input) => input.in === 'body');
  const { types, schema, optional = false } = description.body ?? { types: read?.types ?? [], schema: read?.schema };
  if (types.length === 0) return undefined;
  const content = schema ? { schema: schemas.convert(schema, 'input') } : {};
  return { required: !optional, content: Object.fromEntries(types.map((type) => [type, content])) };
}

function answersOf({ description, rule }: Route, schemas: Schemas): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(description.answers).map(([status, answer]) => {
      const { schema, types = ['application/json'], headers = [], ...rest } = described(answer as Answer);
      const isEmpty = answer === null || (schema === undefined && answer !== null && !('types' in answer));
      const body = schema ? { schema: schemas.convert(schema, 'output') } : {};
      const named = ['X-Trace-Id', ...headers.flatMap((header) => HEADERS[header])];
      if (isLimited(rule)) named.push(...HEADERS.RateLimit);
      return [
        status,
        {
          description: rest.description ?? (isEmpty ? 'Done.' : 'The answer.'),
          headers: references(named),
          ...(isEmpty ? {} : { content: Object.fromEntries(types.map((type) => [type, body])) }),
        },
      ];
    }),
  );
}

function described(answer: Answer): AnswerDescription {
  if (answer === null) return {};
  return answer instanceof z.ZodType ? { schema: answer } : answer;
}

function refusals(route: Route): Record<string, JsonSchema> {
  const { refusals: shape = 'problem' } = route.description;
  const codes = refusalsOf(route);
  const grouped = shape === 'oauth' ? byOAuthStatus(codes) : byStatus(codes);
  return Object.fromEntries(
    [...grouped].map(([status, of]) => [String(status), refusal(status, of, shape, isLimited(route.rule))]),
  );
}

function refusal(
  status: number,
  codes: readonly ErrorCode[],
  shape: 'problem' | 'oauth' | 'text',
  isLimited: boolean,
): JsonSchema {
  const named = ['X-Trace-Id', ...(status === 401 ? ['WWW-Authenticate'] : [])];
  if (status === 429 || status === 503) named.push('Retry-After');
  // Whoever is not let in has no rate.
  if (isLimited && status !== 401) named.push(...HEADERS.RateLimit);
  const description = codes.map((code) => `\`${code}\`: ${CODES[code].title}`).join('\n\n');
  const of = (name: string) => ({
    allOf: [{ $ref: `#/components/schemas/${name}` }, { properties: { code: { enum: codes } } }],
  });
  const content =
    shape === 'text'
      ? { 'text/plain': { schema: { type: 'string', pattern: `^(${codes.join('|').replaceAll('.', '\\.')}): ` } } }
      : shape === 'oauth'
        ? {
            'application/json': { schema: of('OAuthError') },
            // Refused before it reaches the route.
            ...(status === 413 ? { 'application/problem+json': { schema: of('Problem') } } : {}),
          }
        : { 'application/problem+json': { schema: of('Problem') } };
  return { description, headers: references(named), content };
}

function references(names: readonly string[]): JsonSchema {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
