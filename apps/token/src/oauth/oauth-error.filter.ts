import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import type { DomainError } from '@outrider/errors';
import { admissionOf, type CertificateAdmission, Decisions } from '@outrider/platform/admission';
import { noteError, peerOf, toDomainError } from '@outrider/platform/http';
import { deniedBy } from '@outrider/platform/policy';
import { currentTrace, LOGGER, Metrics } from '@outrider/platform/service';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { oauthError } from './oauth-error.js';

/** Writes every failure of the endpoints that clients authenticate at, those of the admission guard too, in the shape of RFC 6749 §5.2. */
@Catch()
export class OAuthErrorFilter implements ExceptionFilter {
  private readonly refused;

  constructor(
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly decisions: Decisions,
    metrics: Metrics,
  ) {
    this.refused = metrics.counter('outrider_token_refused_total', 'Token requests refused, by code.', ['code']);
  }

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const error = toDomainError(thrown);
    if (error.code === 'service.internal') this.logger.error({ err: thrown }, 'a token request failed');
    this.refused.inc({ code: error.code });
    noteError(reply.raw, error.code);
    // The guard has reported its own refusals; these are decided behind it.
    if (/^(?:token|policy)\./.test(error.code)) this.report(error, request);
    if (reply.sent) return;
    const vehicle = peerOf(request.raw).listener === 'vehicle';
    const { status, headers, body } = oauthError(error, vehicle ? 'tls_client_auth' : 'private_key_jwt');
    void reply.status(status).headers(headers).type('application/json').send(JSON.stringify(body));
  }

  private report(error: DomainError, request: FastifyRequest): void {
    const { code, detail } = error;
    const { listener, remoteAddress, certificate } = peerOf(request.raw);
    const { deviceId } = listener === 'vehicle' ? (admissionOf(request) as CertificateAdmission) : {};
    this.decisions.record({
      decision: 'deny',
      code,
      listener,
      action: `${request.method} ${request.routeOptions.url ?? ''}`,
      deviceId,
      thumbprint: certificate?.thumbprint,
      remoteAddress,
      detail,
      policies: deniedBy(error),
      traceId: currentTrace()?.traceId,
    });
  }
}
