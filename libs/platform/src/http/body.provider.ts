import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { MAX_DEPTH, scanJson } from '@outrider/canonicalization';
import { DomainError } from '@outrider/errors';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Input, noteInput } from '../openapi/describe.provider.js';
import { MAX_BODY_BYTES } from './listeners.service.js';
import { nulIn } from './unstorable.js';

/** The body exactly as received; empty when there is none. */
export function bodyBytes(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
}

/** The content type without parameters, lower case; empty when absent. */
export function mediaType(request: FastifyRequest): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

/**
 * Parses a JSON body by its schema. Errors: `request.unsupported_media_type`, `request.malformed`, `request.invalid`.
 * `alsoAsForm`: JSON is read under `application/x-www-form-urlencoded` too, as plain `curl -d` sends it.
 */
export function parseJsonBody<S extends z.ZodType>(
  request: FastifyRequest,
  schema: S,
  { alsoAsForm = false } = {},
): z.output<S> {
  const type = mediaType(request);
  if (type !== 'application/json' && !(alsoAsForm && type === 'application/x-www-form-urlencoded')) {
    throw new DomainError('request.unsupported_media_type', { detail: 'send application/json' });
  }
  return byItsSchema(schema, parseJson(bodyBytes(request)), 'body');
}

/** No text that PostgreSQL cannot hold comes past here: what would be a failure there is a misfit. */
function byItsSchema<S extends z.ZodType>(schema: S, sent: unknown, whole: string): z.output<S> {
  const nul = nulIn(sent);
  if (nul !== undefined) throw new DomainError('request.invalid', { detail: `${nul || whole}: no NUL` });
  const parsed = schema.safeParse(sent);
  if (!parsed.success)
    throw new DomainError('request.invalid', { cause: parsed.error, detail: summary(parsed.error, whole) });
  return parsed.data;
}

/** Refuses what two parsers could read differently, a member given twice above all. Errors: `request.malformed`. */
function parseJson(bytes: Uint8Array): unknown {
  scanJson(bytes, { maxBytes: MAX_BODY_BYTES, maxDepth: MAX_DEPTH });
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** Names the first five misfits by path, without the values. `whole`: what a misfit of no member is a misfit of. */
export function summary(error: z.ZodError, whole = 'body'): string {
  return error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.') || whole}: ${issue.message}`)
    .join('; ');
}

/** Parameter decorator: the JSON body by its schema. */
export function JsonBody(schema: z.ZodType, options: { alsoAsForm?: boolean } = {}): ParameterDecorator {
  const read = createParamDecorator((_data: unknown, context: ExecutionContext) =>
    parseJsonBody(context.switchToHttp().getRequest<FastifyRequest>(), schema, options),
  )();
  const types = ['application/json', ...(options.alsoAsForm ? ['application/x-www-form-urlencoded'] : [])];
  return noting({ in: 'body', schema, types }, read);
}

/** Parameter decorator: the query string by its schema (`request.invalid` for a misfit). */
export function QueryParams(schema: z.ZodType): ParameterDecorator {
  const read = createParamDecorator((_data: unknown, context: ExecutionContext) =>
    byItsSchema(schema, { ...(context.switchToHttp().getRequest<FastifyRequest>().query as object) }, 'query'),
  )();
  return noting({ in: 'query', schema }, read);
}

/** Parameter decorator: one path parameter by its schema. A misfit cannot name anything: `request.invalid`. */
export function PathParam(name: string, schema: z.ZodType): ParameterDecorator {
  const read = createParamDecorator((_data: unknown, context: ExecutionContext) => {
    const params = context.switchToHttp().getRequest<FastifyRequest>().params as Record<string, unknown>;
    return byItsSchema(schema, params[name], name);
  })();
  return noting({ in: 'path', name, schema }, read);
}

/** The decorator, and what it reads noted for the service's OpenAPI document. */
function noting(input: Input, read: ParameterDecorator): ParameterDecorator {
  return (target, key, index) => {
    noteInput(target, key, input);
    read(target, key, index);
  };
}
