import { Readable } from 'node:stream';
import { Controller, Get, Headers, Inject, Param, Res } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { AdmitAnyone } from '@outrider/platform/admission';
import { On } from '@outrider/platform/http';
import { Describe, DescribeDirect } from '@outrider/platform/openapi';
import { CONFIG, LOGGER } from '@outrider/platform/service';
import type { FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Config } from '../config.js';
import { type CrlFile, crlOfFile } from './crl.js';
import { Crls, type CrlVersion } from './crl.repository.js';
import { CrlBytes } from './crl-bytes.service.js';

const MAX_AGE_SECONDS = 60;

/** RFC 5280 §4.2.1.13: over plain HTTP, the list carries its own signature. What a cache may do with it: RFC 5019 §6 holds as well here. */
@DescribeDirect([
  {
    method: 'GET',
    path: '/ocsp/:request',
    description: {
      summary: 'The status of a certificate (RFC 6960 A.1), as caches keep it (RFC 5019 §5).',
      path: { request: z.string().min(1) },
      answers: { 200: { types: ['application/ocsp-response'], headers: ['Cache-Control'] } },
    },
  },
  {
    method: 'POST',
    path: '/ocsp',
    description: {
      summary: 'The status of a certificate (RFC 6960 A.1).',
      body: { types: ['application/ocsp-request'] },
      answers: { 200: { types: ['application/ocsp-response'] }, 413: null },
    },
  },
])
@Controller('crl')
export class CrlController {
  private readonly last = new Map<string, CrlVersion>();

  constructor(
    private readonly crls: Crls,
    private readonly bytes: CrlBytes,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Describe({
    summary: 'A certificate revocation list: whole, of a shard, or a delta (RFC 5280 §5).',
    answers: { 200: { types: ['application/pkix-crl'], headers: ['ETag', 'Cache-Control'] }, 304: null },
    headers: ['If-None-Match'],
    path: { file: z.string().regex(/^[\w.-]+\.crl$/) },
    problems: ['revocation.crl_not_found'],
  })
  @Get(':file')
  @On('http')
  @AdmitAnyone()
  async get(
    @Param('file') file: string,
    @Headers('if-none-match') known: string | undefined,
    @Headers('if-modified-since') knownSince: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const name = crlOfFile(file, this.config.crl.shardCount);
    if (name === undefined || (name.kind === 'delta' && !this.config.crl.delta)) throw notFound();
    const crl = await this.find(name, file);
    if (!crl && name.prefix !== '') throw notFound();
    if (!crl) throw new DomainError('service.unavailable', { detail: 'not yet published', retryAfterSeconds: 1 });
    const etag = `"${file.slice(0, -4)}-${crl.number}"`;
    reply.header('etag', etag).header('cache-control', `public, max-age=${MAX_AGE_SECONDS}`);
    reply.header('last-modified', crl.thisUpdate.toUTCString()).header('expires', crl.nextUpdate.toUTCString());
    if (isKnown(crl, etag, known, knownSince)) return reply.status(304).send();
    reply.type('application/pkix-crl').header('content-length', crl.bytes);
    // As a stream: of anything else the framework would say the length itself.
    if (reply.request.method === 'HEAD') return reply.send(Readable.from([]));
    const whole = await this.bytes.whole(file, crl);
    return reply.send(whole ?? Readable.from(this.bytes.parts(crl), { objectMode: false }));
  }

  /** From PostgreSQL, so that every replica serves the same; from memory while it is away. */
  private async find(name: CrlFile, file: string): Promise<CrlVersion | undefined> {
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

/** RFC 9110 §13.2.2: a tag, where there is one, is all that counts. */
function isKnown(crl: CrlVersion, etag: string, known: string | undefined, since: string | undefined): boolean {
  if (known !== undefined) return known.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
  return since !== undefined && Date.parse(since) >= crl.thisUpdate.getTime();
}

function notFound(): DomainError {
  return new DomainError('revocation.crl_not_found');
}
