import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import { toDomainError } from '@outrider/platform/http';
import { LOGGER } from '@outrider/platform/service';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { errorText } from './est-message.js';

const RETRY_AFTER_SECONDS = 5;

/** Errors as EST clients read them (RFC 7030 §4.2.3): a status, and a short text for a person. */
@Catch()
export class EstFilter implements ExceptionFilter {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const error = toDomainError(thrown);
    if (error.code === 'service.internal') this.logger.error({ err: thrown, url: request.url }, 'a request failed');
    else this.logger.info({ url: request.url, code: error.code, detail: error.detail }, 'refused');
    if (reply.sent) return;
    if (error.status === 401) reply.header('www-authenticate', 'ClientCertificate realm="est"');
    const retryAfter = error.retryAfterSeconds ?? (error.status === 503 ? RETRY_AFTER_SECONDS : undefined);
    if (retryAfter !== undefined) reply.header('retry-after', Math.ceil(retryAfter));
    void reply.status(error.status).type('text/plain; charset=utf-8').send(errorText(error));
  }
}
