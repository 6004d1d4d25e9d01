import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Inject } from '@nestjs/common';
import { DomainError, type ErrorCode } from '@outrider/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { LOGGER } from '../service/runtime.provider.js';
import { currentTrace } from '../service/trace.provider.js';
import { ErrorShapes } from './error-shapes.service.js';
import { noteError } from './request-metrics.service.js';

const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'request.too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'request.unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'request.malformed',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'request.malformed',
  FST_ERR_BAD_URL: 'request.malformed',
};

/** A problem document (RFC 9457) with our stable `code`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail?: string;
  readonly traceId?: string;
}

/** The only place that writes `application/problem+json`. Protocols with an error shape of their own name it to `ErrorShapes`. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly shapes: ErrorShapes,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const error = toDomainError(thrown);
    if (error.code === 'service.internal')
      this.logger.error(
        { err: thrown, path: request.url.split('?', 1)[0], method: request.method },
        'a request failed',
      );
    noteError(reply.raw, error.code);
    if (reply.sent) return;
    currentTrace()?.span?.say({ 'outrider.code': error.code });
    (this.shapes.of(request.url) ?? sendProblem)(reply, error);
  }
}

/** Any thrown value as a DomainError; an unexpected one becomes `service.internal`, its message kept inside. */
export function toDomainError(thrown: unknown): DomainError {
  if (thrown instanceof DomainError) return thrown;
  const code = (thrown as { code?: string } | undefined)?.code;
  if (code && Object.hasOwn(FASTIFY_CODES, code)) return new DomainError(FASTIFY_CODES[code]!, { cause: thrown });
  if (thrown instanceof HttpException) {
    const status = thrown.getStatus();
    if (status === 404) return new DomainError('request.not_found', { cause: thrown });
    if (status === 413) return new DomainError('request.too_large', { cause: thrown });
    if (status < 500) return new DomainError('request.malformed', { cause: thrown });
  }
  if ((thrown as { statusCode?: number } | undefined)?.statusCode === 400)
    return new DomainError('request.malformed', { cause: thrown });
  return new DomainError('service.internal', { cause: thrown });
}

/** Writes the whole answer. */
export function sendProblem(reply: FastifyReply, error: DomainError): void {
  noteError(reply.raw, error.code);
  const problem: Problem = {
    type: `https://outrider.dev/problems/${error.code}`,
    title: error.title,
    status: error.status,
    code: error.code,
    ...(error.detail ? { detail: error.detail } : {}),
    ...(currentTrace() ? { traceId: currentTrace()!.traceId } : {}),
    ...error.members,
  };
  if (error.retryAfterSeconds !== undefined) reply.header('retry-after', Math.ceil(error.retryAfterSeconds));
  void reply.status(error.status).type('application/problem+json').send(JSON.stringify(problem));
}
