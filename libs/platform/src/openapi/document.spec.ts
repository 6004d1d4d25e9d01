import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { describeService } from './document.js';
import { merge } from './merge.js';
import type { Route } from './route.js';

const show: Route = {
  name: 'things.show',
  method: 'GET',
  path: '/v1/things/:id',
  listener: 'operator',
  rule: { kind: 'operator', scope: 'device:read', stepUp: {} },
  inputs: [
    { in: 'path', name: 'id', schema: z.uuid() },
    { in: 'query', schema: z.strictObject({ limit: z.coerce.number().int().min(1).default(10), all: z.string() }) },
  ],
  description: {
    summary: 'A thing.',
    answers: { 200: { schema: z.strictObject({ at: z.iso.datetime() }).meta({ id: 'Thing' }), headers: ['ETag'] } },
    problems: ['command.not_found'],
  },
};
const make: Route = {
  ...show,
  name: 'things.make',
  method: 'POST',
  path: '/v1/things',
  inputs: [{ in: 'body', schema: z.strictObject({ name: z.string() }), types: ['application/json'] }],
  description: { summary: 'Makes a thing.', answers: { 204: null }, headers: ['Idempotency-Key!'] },
};
const token = (listener: 'vehicle' | 'operator', refusals: 'oauth' | 'problem' = 'oauth'): Route => ({
  ...make,
  name: `${listener}Token.issue`,
  path: '/oauth2/token',
  listener,
  rule: listener === 'vehicle' ? { kind: 'certificate' } : { kind: 'anyone' },
  inputs: [],
  description: { summary: 'A token.', answers: { 200: z.strictObject({ [listener]: z.string() }) }, refusals },
});

function response(document: ReturnType<typeof describeService>, path: string, method: string, status: number) {
  const found = document.paths[path]?.[method]?.responses[status] as { $ref?: string; headers?: object } | undefined;
  return found?.$ref ? document.components.responses?.[found.$ref.split('/').at(-1) as string] : found;
}

describe('the document of a service', () => {
  const document = describeService('telemetry', [show, make], '1.2.3');

  it('has path and query as parameters, with what they may be', () => {
    expect(document.paths['/v1/things/{id}']?.get?.parameters).toEqual([
      { name: 'id', in: 'path', required: true, schema: expect.objectContaining({ format: 'uuid' }) },
      { name: 'limit', in: 'query', required: false, schema: { type: 'integer', minimum: 1, default: 10 } },
      { name: 'all', in: 'query', required: true, schema: { type: 'string' } },
    ]);
  });

  it('says on which listener of which service, and what token', () => {
    expect(document.paths['/v1/things/{id}']?.get).toMatchObject({
      operationId: 'telemetry.things.show',
      'x-outrider-listeners': ['operator'],
      servers: [expect.objectContaining({ variables: expect.objectContaining({ port: { default: '9443' } }) })],
      security: [{ operatorToken: ['device:read'] }],
    });
  });

  it('names what is answered once, open to members that come later', () => {
    expect(document.components.schemas?.Thing).toEqual({
      type: 'object',
      properties: { at: { type: 'string', format: 'date-time' } },
      required: ['at'],
    });
    expect(response(document, '/v1/things/{id}', 'get', 200)).toMatchObject({
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } },
      headers: { ETag: { $ref: '#/components/headers/ETag' } },
    });
  });

  it('names the rate of an account wherever it counts', () => {
    const unlimited = { ...make, rule: { ...show.rule, unlimited: true } } as Route;
    const both = describeService('telemetry', [show, unlimited], '1.2.3');
    const fields = { RateLimit: expect.anything(), 'RateLimit-Policy': expect.anything() };
    for (const status of [200, 403, 429])
      expect(response(both, '/v1/things/{id}', 'get', status)?.headers).toMatchObject(fields);
    expect(response(both, '/v1/things/{id}', 'get', 401)?.headers).not.toHaveProperty('RateLimit');
    expect(response(both, '/v1/things', 'post', 204)?.headers).not.toHaveProperty('RateLimit');
    expect(response(both, '/v1/things', 'post', 429)).toBeUndefined();
  });

  it('keeps what is sent closed', () => {
    expect(document.paths['/v1/things']?.post?.requestBody).toEqual({
      required: true,
      content: { 'application/json': { schema: expect.objectContaining({ additionalProperties: false }) } },
    });
  });

  it('gives each refusal its status and its codes', () => {
    const codes = (status: number) =>
      JSON.stringify(response(document, '/v1/things/{id}', 'get', status)).match(/[a-z]+\.[a-z_]+(?=")/g);
    expect(codes(404)).toEqual(expect.arrayContaining(['command.not_found', 'request.not_found']));
    expect(codes(401)).toEqual(expect.arrayContaining(['auth.token_missing', 'denylist.token']));
    expect(codes(403)).toContain('auth.scope_insufficient');
    expect(response(document, '/v1/things', 'post', 404)).toBeUndefined();
  });

  it('puts a path of two listeners into one operation', () => {
    const both = describeService('token', [token('vehicle'), token('operator')], '1.2.3');
    const operation = both.paths['/oauth2/token']?.post;
    expect(operation).toMatchObject({ 'x-outrider-listeners': ['operator', 'vehicle'] });
    expect(operation?.servers).toHaveLength(2);
    expect(response(both, '/oauth2/token', 'post', 200)).toMatchObject({
      content: { 'application/json': { schema: { anyOf: [expect.anything(), expect.anything()] } } },
    });
  });
});

describe('the merged document', () => {
  it('has the paths of all and each component once', () => {
    const [a, b] = [describeService('telemetry', [show], '1'), describeService('token', [token('operator')], '1')];
    const merged = merge([a, b]);
    expect(Object.keys(merged.paths)).toEqual(['/oauth2/token', '/v1/things/{id}']);
    expect(merged.components.schemas).toMatchObject({ Thing: expect.anything(), Problem: expect.anything() });
    const references = [...new Set(JSON.stringify(merged).match(/#\/components\/responses\/[\w-]+/g))];
    expect(references.map((one) => one.split('/').at(-1)).sort()).toEqual(
      Object.keys(merged.components.responses ?? {}).sort(),
    );
  });

  it('refuses two different things of one name', () => {
    const other = { ...show, path: '/v1/others', description: { ...show.description, answers: { 200: OTHER } } };
    expect(() => merge([describeService('telemetry', [show], '1'), describeService('token', [other], '1')])).toThrow(
      'two different schemas are called Thing',
    );
  });
});

const OTHER = z.strictObject({ other: z.string() }).meta({ id: 'Thing' });
