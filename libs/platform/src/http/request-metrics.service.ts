import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { ErrorCode } from '@outrider/errors';
import type { FastifyInstance } from 'fastify';
import { Metrics } from '../service/metrics.service.js';

/** Long polls and streams take as long as they take: what waits on purpose is told apart by its route. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Anything else a stranger may invent: a label for each would grow for ever. */
const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const STATUSES: readonly string[] = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx'];

const EXCHANGE = Symbol('exchange');

interface Exchange {
  /** As it is registered, never what was asked for: that names devices. */
  route: string | undefined;
  code: ErrorCode | undefined;
}

interface Measured {
  [EXCHANGE]?: Exchange;
}

/** Requests of each listener: how many, how they ended, how long they took (RED). */
@Injectable()
export class RequestMetrics {
  private readonly duration;
  private readonly errors;
  private readonly underWay = new Map<string, number>();

  constructor(metrics: Metrics) {
    this.duration = metrics.histogram(
      'outrider_http_request_duration_seconds',
      'From the head of a request to the end of its answer; `aborted` are those whose client went away before it.',
      SECONDS,
      ['listener', 'route', 'method', 'status'],
    );
    this.errors = metrics.counter('outrider_http_errors_total', 'Requests that were answered with an error, by code.', [
      'listener',
      'code',
    ]);
    metrics.gauge('outrider_http_requests_in_flight', 'Requests under way.', ['listener'], (gauge) => {
      for (const [listener, count] of this.underWay) gauge.set({ listener }, count);
    });
  }

  /** `route`: of what no router sees. */
  begin(listener: string, request: IncomingMessage, response: ServerResponse, route?: string): void {
    const startedMs = performance.now();
    const exchange: Exchange = { route, code: undefined };
    (response as Measured)[EXCHANGE] = exchange;
    this.underWay.set(listener, (this.underWay.get(listener) ?? 0) + 1);
    response.on('close', () => {
      this.underWay.set(listener, (this.underWay.get(listener) ?? 1) - 1);
      const { route = 'unmatched', code } = exchange;
      const { method = '' } = request;
      this.duration.observe(
        { listener, route, method: METHODS.includes(method) ? method : 'other', status: statusOf(response) },
        (performance.now() - startedMs) / 1000,
      );
      if (code) this.errors.inc({ listener, code });
    });
  }
}

/** Has every request know its route, those too that a hook refuses. To be called before any other hook is added. */
export function nameRoutes(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const exchange = (reply.raw as Measured)[EXCHANGE];
    if (exchange) exchange.route = request.routeOptions.url;
    done();
  });
}

/** What a request is answered with, for the metrics. */
export function noteError(response: object, code: ErrorCode): void {
  const exchange = (response as Measured)[EXCHANGE];
  if (exchange) exchange.code = code;
}

function statusOf({ writableFinished, statusCode }: ServerResponse): string {
  return writableFinished ? (STATUSES[Math.floor(statusCode / 100)] ?? '5xx') : 'aborted';
}
