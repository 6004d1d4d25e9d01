import { Controller, Get, Headers, Inject, Param, Res } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { AdmitAnyone } from '@outrider/platform/admission';
import { On } from '@outrider/platform/http';
import { CONFIG, LOGGER } from '@outrider/platform/service';
import type { FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { type CrlName, crlOfFile } from './crl.js';
import { Crls, type PublishedCrl } from './crl.repository.js';

const MAX_AGE_SECONDS = 60;

/** RFC 5280 §4.2.1.13: over plain HTTP, the list carries its own signature. */
@Controller('crl')
export class CrlController {
  private readonly last = new Map<string, PublishedCrl>();

  constructor(
    private readonly crls: Crls,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Get(':file')
  @On('http')
  @AdmitAnyone()
  async get(
    @Param('file') file: string,
    @Headers('if-none-match') known: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const name = crlOfFile(file, this.config.crl.shardCount);
    if (name === undefined) throw new DomainError('revocation.crl_not_found');
    const crl = await this.find(name, file);
    if (!crl && name.prefix !== '') throw new DomainError('revocation.crl_not_found');
    if (!crl) throw new DomainError('service.unavailable', { detail: 'not yet published', retryAfterSeconds: 1 });
    const etag = `"${name.prefix}${name.shard}-${crl.number}"`;
    reply.header('etag', etag).header('cache-control', `public, max-age=${MAX_AGE_SECONDS}`);
    reply.header('expires', crl.nextUpdate.toUTCString());
    if (known?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)) return reply.status(304).send();
    return reply.type('application/pkix-crl').send(crl.der);
  }

  /** From PostgreSQL, so that every replica serves the same; from memory while it is away. */
  private async find(name: CrlName, file: string): Promise<PublishedCrl | undefined> {
    try {
      const crl = await this.crls.find(name);
      if (crl) this.last.set(file, crl);
      return crl;
    } catch (error) {
      this.logger.warn({ err: error, file }, 'a CRL is served from memory');
      const last = this.last.get(file);
      if (!last) throw error;
      return last;
    }
  }
}
