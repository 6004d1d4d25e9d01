import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import { listenerOf, toDomainError } from '@outrider/platform/http';
import { LOGGER, Metrics } from '@outrider/platform/service';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { oauthError } from './oauth-error.js';

/** Writes every failure of the token endpoint, those of the admission guard too, in the shape of RFC 6749 §5.2. */
@Catch()
export class OAuthErrorFilter implements ExceptionFilter {
  private readonly refused;

  constructor(
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.refused = metrics.counter('outrider_token_refused_total', 'Token requests refused, by code.', ['code']);
  }

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const error = toDomainError(thrown);
    if (error.code === 'service.internal') this.logger.error({ err: thrown }, 'a token request failed');
    else this.logger.info({ code: error.code, detail: error.detail }, 'refused');
    this.refused.inc({ code: error.code });
    if (reply.sent) return;
    const authentication = listenerOf(request.raw) === 'vehicle' ? 'tls_client_auth' : 'private_key_jwt';
    const { status, headers, body } = oauthError(error, authentication);
    void reply.status(status).headers(headers).type('application/json').send(JSON.stringify(body));
  }
}
