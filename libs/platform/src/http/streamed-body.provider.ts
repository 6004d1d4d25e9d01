import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { RouteConfig } from '@nestjs/platform-fastify';
import { DomainError } from '@outrider/errors';
import type { FastifyInstance, FastifyReply, FastifyRequest, RequestPayload, RouteOptions } from 'fastify';

/** What a route that takes its body as a stream allows instead of the limits of every other. */
export interface StreamLimits {
  readonly maxBytes: number;
  /** Silence of the client after which its request has failed; while the handler is busy no time runs. */
  readonly idleMs: number;
}

const ROUTE_CONFIG = 'streamedBody';
const bodies = new WeakMap<FastifyRequest, { payload: RequestPayload; limits: StreamLimits }>();
const awaitingContinue = new WeakMap<IncomingMessage, ServerResponse>();
const streamingSockets = new WeakSet<object>();

/**
 * The route reads its body by `openBody`, bytes as they come: never buffered whole, slowed down to the handler's pace, free of
 * the timeout that holds for whole requests. Its connection ends with its answer.
 */
export function StreamedBody(limits: StreamLimits): MethodDecorator {
  return RouteConfig({ [ROUTE_CONFIG]: limits });
}

/** Fastify's part of it: such a route has nothing to parse, and its own limit. */
export function streamBodies(fastify: FastifyInstance): void {
  fastify.addHook('onRoute', (route: RouteOptions) => {
    const limits = (route.config as { [ROUTE_CONFIG]?: StreamLimits } | undefined)?.[ROUTE_CONFIG];
    if (!limits) return;
    route.bodyLimit = limits.maxBytes;
    route.preParsing = (
      request: FastifyRequest,
      reply: FastifyReply,
      payload: RequestPayload,
      done: (error: null, payload: RequestPayload) => void,
    ) => {
      bodies.set(request, { payload, limits });
      // What the handler has not read when it answers is not read after all.
      reply.header('connection', 'close');
      const nothing: RequestPayload = Readable.from([]);
      nothing.receivedEncodedLength = Number(request.headers['content-length'] ?? 0);
      done(null, nothing);
    };
  });
}

/**
 * The body of a `StreamedBody` route, once. Errors: `request.too_large`, `request.timeout` (the client fell silent),
 * `request.malformed` (the connection was cut before the end).
 */
export async function* openBody(request: FastifyRequest): AsyncGenerator<Uint8Array, void> {
  const body = bodies.get(request);
  if (!body) throw new Error('openBody on a route without StreamedBody');
  bodies.delete(request);
  const { payload, limits } = body;
  const { socket } = request.raw;
  streamingSockets.add(socket);
  awaitingContinue.get(request.raw)?.writeContinue();
  // A destroyed request takes its connection with it, and with that the answer that says why.
  const chunks = (payload as Readable).iterator({ destroyOnReturn: false });
  let received = 0;
  try {
    for (;;) {
      const { done, value } = await orIdle(chunks.next(), limits.idleMs);
      if (done) return;
      received += (value as Uint8Array).length;
      if (received > limits.maxBytes) throw new DomainError('request.too_large');
      yield value as Uint8Array;
    }
  } finally {
    streamingSockets.delete(socket);
  }
}

/** Whether a body is just being read there: Node's timeout of whole requests does not apply. */
export function isStreaming(socket: object): boolean {
  return streamingSockets.has(socket);
}

/** The client waits to be told to send; `openBody` tells it, a refusal never does. */
export function continueLater(request: IncomingMessage, response: ServerResponse): void {
  awaitingContinue.set(request, response);
}

async function orIdle<T>(next: Promise<T>, idleMs: number): Promise<T> {
  const over = new AbortController();
  const idle = sleep(idleMs, undefined, { signal: over.signal }).then(
    () => {
      throw new DomainError('request.timeout', { detail: `nothing came for ${idleMs / 1000} s` });
    },
    () => next,
  );
  try {
    return await Promise.race([next, idle]);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError('request.malformed', { cause: error, detail: 'the connection was cut before the end' });
  } finally {
    over.abort();
    idle.catch(() => undefined);
  }
}
