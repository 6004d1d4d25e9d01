import { FastifyAdapter } from '@nestjs/platform-fastify';
import { DomainError } from '@outrider/errors';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { newSpan, runInTrace, type Trace } from '../service/trace.provider.js';
import type { Tracing } from '../service/tracing.provider.js';
import { listenerOf, MAX_BODY_BYTES } from './listeners.service.js';
import { nameRoutes } from './request-metrics.service.js';
import { noteServedRoutes } from './served-routes.provider.js';
import { streamBodies } from './streamed-body.provider.js';

/** The one Fastify instance of a service: bodies arrive as bytes, a route belongs to exactly one listener, each request has a trace. */
export function createFastifyAdapter(tracing?: Tracing): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { maxParamLength: 256 },
    forceCloseConnections: true,
    return503OnClosing: false,
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) =>
      refuseUnroutable(adapter, error, request, reply),
  });
  const fastify = adapter.getInstance() as unknown as FastifyInstance;
  fastify.addConstraintStrategy({
    name: 'listener',
    storage: () => {
      const handlers = new Map<string, unknown>();
      return {
        get: (name: string) => (handlers.get(name) ?? null) as never,
        set: (name: string, handler: unknown) => void handlers.set(name, handler),
      };
    },
    deriveConstraint: (request: { socket: object }) => listenerOf(request) ?? 'none',
    mustMatchWhenDerived: true,
  } as never);
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  nameRoutes(fastify);
  noteServedRoutes(fastify);
  fastify.addHook('onRequest', (request, reply, done) => {
    const header = headerOf(request, 'traceparent');
    const trace = tracing ? recordedRequest(tracing, header, request, reply) : newSpan(header);
    reply.header('x-trace-id', trace.traceId);
    runInTrace(trace, done);
  });
  streamBodies(fastify);
  refuseEncodedBodies(fastify);
  refuseWrongMethods(fastify);
  return adapter;
}

/** A server span until the answer is out, or the caller gone. Routes as templates: a path holds ids. */
function recordedRequest(
  tracing: Tracing,
  header: string | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): Trace {
  const listener = listenerOf(request.raw) ?? 'none';
  const route = request.is404 ? undefined : request.routeOptions.url;
  const attributes = {
    'http.request.method': request.method,
    ...(route ? { 'http.route': route } : {}),
    'outrider.listener': listener,
  };
  const name = route ? `${request.method} ${route}` : request.method;
  const trace = tracing.enter(header, tracing.believes(listener), name, 'server', attributes);
  const { span } = trace;
  if (!span) return trace;
  reply.raw.once('close', () => {
    const { statusCode, writableFinished } = reply.raw;
    span.say({ 'http.response.status_code': statusCode });
    if (!writableFinished) span.fail({ code: 'cut' });
    else if (statusCode >= 500) span.fail({ code: String(statusCode) });
    span.end();
  });
  return trace;
}

/** What the router itself refuses, before any hook: a path that does not decode, an endless segment. Answered like every other refusal. */
function refuseUnroutable(
  adapter: FastifyAdapter,
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { errorHandler } = adapter.getInstance() as unknown as FastifyInstance;
  const isTooLong = error.code === 'FST_ERR_MAX_PARAM_LENGTH';
  const trace = newSpan(headerOf(request, 'traceparent'));
  reply.header('x-trace-id', trace.traceId);
  runInTrace(trace, () =>
    errorHandler(isTooLong ? new DomainError('request.not_found', { cause: error }) : error, request, reply),
  );
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** No body is decoded here, so one that says it is encoded would be read as what it is not (RFC 9110 §15.5.16). */
function refuseEncodedBodies(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const encoding = headerOf(request, 'content-encoding') ?? 'identity';
    if (encoding.trim().toLowerCase() === 'identity') return done();
    reply.header('accept-encoding', 'identity');
    done(new DomainError('request.unsupported_media_type', { detail: 'send the body without Content-Encoding' }));
  });
}

/** A known path asked by a wrong method is 405 with `Allow` (RFC 9110 §15.5.6), not 404. */
function refuseWrongMethods(fastify: FastifyInstance): void {
  const routes: { listener: unknown; methods: string[]; pattern: RegExp }[] = [];
  fastify.addHook('onRoute', (route: RouteOptions) => {
    const listener = (route.constraints as { listener?: string } | undefined)?.listener;
    if (listener) routes.push({ listener, methods: [route.method].flat(), pattern: pathPattern(route.url) });
  });
  fastify.addHook('preHandler', (request: FastifyRequest, reply: FastifyReply, done) => {
    if (!request.is404) return done();
    const path = request.url.split('?', 1)[0]!;
    const listener = listenerOf(request.raw);
    const allowed = routes.filter((r) => r.listener === listener && r.pattern.test(path)).flatMap((r) => r.methods);
    if (allowed.length === 0) return done();
    reply.header('allow', [...new Set(allowed)].join(', '));
    done(new DomainError('request.method_not_allowed'));
  });
}

function pathPattern(url: string): RegExp {
  const escaped = url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[A-Za-z0-9_]+/g, '[^/]+');
  return new RegExp(`^${escaped}$`);
}
