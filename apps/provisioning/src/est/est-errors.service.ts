import { Inject, Injectable } from '@nestjs/common';
import type { DomainError } from '@outrider/errors';
import { ErrorShapes } from '@outrider/platform/http';
import { LOGGER } from '@outrider/platform/service';
import type { FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import { DeniedFindings } from '../finding/denied-findings.service.js';
import { errorText } from './est-message.js';

const RETRY_AFTER_SECONDS = 5;
const MOST_OF_A_PATH = 200;

/** Errors as EST clients read them (RFC 7030 §4.2.3): a status, and a short text for a person. Of unknown paths too. */
@Injectable()
export class EstErrors {
  constructor(
    shapes: ErrorShapes,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly findings: DeniedFindings,
  ) {
    shapes.use('/.well-known/est', (reply, error) => this.send(reply, error));
  }

  private send(reply: FastifyReply, error: DomainError): void {
    const { code, detail, status } = error;
    this.logger.info({ path: pathOf(reply.request.url), code, detail }, 'refused');
    this.findings.refused(reply.request, error);
    if (status === 401) reply.header('www-authenticate', 'ClientCertificate realm="est"');
    const retryAfter = error.retryAfterSeconds ?? (status === 503 ? RETRY_AFTER_SECONDS : undefined);
    if (retryAfter !== undefined) reply.header('retry-after', Math.ceil(retryAfter));
    void reply.status(status).type('text/plain; charset=utf-8').send(errorText(error));
  }
}

/** For the log: what asks may be anybody, and its query as long as a header. */
function pathOf(url: string): string {
  return url.split('?', 1)[0]!.slice(0, MOST_OF_A_PATH);
}
