/** A service's OpenAPI 3.1 document from its routes. */
import { CODES } from '@outrider/errors';
import { combine } from './combine.js';
import { type Operation, operationOf, templateOf } from './operation.js';
import type { Route } from './route.js';
import { type JsonSchema, Schemas } from './schemas.js';
import { shareResponses } from './shared-responses.js';

export interface OpenApiDocument {
  readonly openapi: '3.1.1';
  readonly info: JsonSchema;
  readonly tags: readonly JsonSchema[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>;
}

/** `version`: of the product. Routes of two listeners that have path and method in common become one operation with two servers. */
export function describeService(service: string, routes: readonly Route[], version: string): OpenApiDocument {
  const schemas = new Schemas();
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of [...routes].sort(byPath)) {
    const path = templateOf(route.path);
    const method = route.method.toLowerCase();
    const operation = operationOf(service, route, schemas);
    const there = paths[path]?.[method];
    paths[path] = { ...paths[path], [method]: there ? combine(there, operation) : operation };
  }
  const shared = shareResponses(paths);
  return {
    openapi: '3.1.1',
    info: {
      title: `Outrider: ${service}`,
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description: ABOUT,
    },
    tags: tagsOf(paths),
    paths: shared.paths,
    components: {
      schemas: { ...SHAPES, ...schemas.components() },
      responses: shared.responses,
      headers: HEADERS,
      securitySchemes: SCHEMES,
    },
  };
}

/** Those that its operations have, sorted. */
export function tagsOf(paths: OpenApiDocument['paths']): JsonSchema[] {
  const names = Object.values(paths).flatMap((path) => Object.values(path).flatMap(({ tags }) => tags as string[]));
  return [...new Set(names)].sort().map((name) => ({ name }));
}

function byPath(a: Route, b: Route): number {
  const [left, right] = [`${a.path} ${a.method} ${a.listener}`, `${b.path} ${b.method} ${b.listener}`];
  return left < right ? -1 : 1;
}

const ABOUT = [
  'Each route is on the listeners that `x-outrider-listeners` names: `vehicle` is mutual TLS for vehicles, `operator` HTTPS with a bearer',
  'token, `http` plain HTTP for health, metrics and certificate status. On any other it is 404.',
  '',
  'Refusals are problem documents (RFC 9457) with a stable `code`; OAuth’s endpoints answer as RFC 6749 §5.2 has it, EST’s with a line of text.',
  'A known path with a wrong method is 405 with `Allow`; a head of more than 16 KiB is 431. Lists are read page by page: `next` of one page is `after`',
  'of the next, null behind the last. Readers skip members that they do not know.',
].join('\n');

const PROBLEM: JsonSchema = {
  type: 'object',
  description: 'RFC 9457, with our stable code.',
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', enum: Object.keys(CODES).sort() },
    detail: { type: 'string' },
    traceId: { type: 'string', pattern: '^[0-9a-f]{32}$' },
  },
  required: ['type', 'title', 'status', 'code'],
};

const SHAPES: Readonly<Record<string, JsonSchema>> = {
  Problem: PROBLEM,
  OAuthError: {
    type: 'object',
    description: 'RFC 6749 §5.2, with our stable code.',
    properties: {
      error: { type: 'string' },
      error_description: { type: 'string' },
      code: { type: 'string' },
    },
    required: ['error', 'code'],
  },
};

const text = (description: string): JsonSchema => ({ description, schema: { type: 'string' } });
const HEADERS: Readonly<Record<string, JsonSchema>> = {
  'X-Trace-Id': text('Of this request, in every log line of it.'),
  'WWW-Authenticate': text('What would help: RFC 6750 §3, RFC 9470, RFC 9449 §7.1.'),
  'Retry-After': { description: 'Seconds.', schema: { type: 'integer', minimum: 0 } },
  ETag: text('The version of what was answered, for If-Match and If-None-Match.'),
  RateLimit: text('What may still be sent (draft-ietf-httpapi-ratelimit-headers).'),
  'RateLimit-Policy': text('The limits that hold (draft-ietf-httpapi-ratelimit-headers).'),
  'DPoP-Nonce': text('Of the next proof (RFC 9449 §8).'),
  Location: text('Where to go on.'),
  'Cache-Control': text('RFC 9111.'),
};

const SCHEMES: Readonly<Record<string, JsonSchema>> = {
  operatorToken: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT (RFC 9068)',
    description:
      'Of `POST /oauth2/token` on the token service’s operator listener, or of a sign-in. The scopes that a route names must be among its own; those of `x-outrider-elevation` nobody holds for good: an approved elevation brings them. `x-outrider-step-up`: how fresh and how strong the sign-in must be (RFC 9470).',
  },
  vehicleCertificate: { type: 'mutualTLS', description: 'A certificate of the vehicle issuing CA.' },
  vehicleToken: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT (RFC 9068)',
    description: 'Bound to the certificate of the connection (RFC 8705).',
  },
  dpopToken: { type: 'http', scheme: 'dpop', description: 'Bound to a key that each request proves (RFC 9449).' },
};
