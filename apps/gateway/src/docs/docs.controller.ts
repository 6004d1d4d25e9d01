import { Controller, Get, Headers, Res } from '@nestjs/common';
import { AdmitAnyone } from '@outrider/platform/admission';
import { On } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { type Asset, DocsAssets } from './assets.store.js';
import { PAGE, PAGE_HEADERS } from './page.js';

const file = (type: string) => ({ types: [type], headers: ['ETag', 'Cache-Control'] }) as const;

/** The APIs of all services to be read in a browser, by anyone: what they are is no secret. */
@Controller('docs')
export class DocsController {
  constructor(private readonly assets: DocsAssets) {}

  @Describe({
    summary: 'The APIs of all services, to be read in a browser.',
    answers: { 200: { types: ['text/html'] } },
  })
  @Get()
  @On('operator')
  @AdmitAnyone()
  async page(@Res() reply: FastifyReply): Promise<void> {
    await reply.headers(PAGE_HEADERS).type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(PAGE);
  }

  @Describe({
    summary: 'The documents of all services as one.',
    answers: { 200: { schema: z.looseObject({ openapi: z.string() }), headers: ['ETag', 'Cache-Control'] }, 304: null },
    headers: ['If-None-Match'],
  })
  @Get('openapi.json')
  @On('operator')
  @AdmitAnyone()
  document(@Headers('if-none-match') known: string | undefined, @Res() reply: FastifyReply): Promise<void> {
    return send(reply, this.assets.document(), known);
  }

  @Describe({ summary: 'Of the page.', answers: { 200: file('text/css'), 304: null }, headers: ['If-None-Match'] })
  @Get('assets/swagger-ui.css')
  @On('operator')
  @AdmitAnyone()
  styles(@Headers('if-none-match') known: string | undefined, @Res() reply: FastifyReply): Promise<void> {
    return send(reply, this.assets.styles(), known);
  }

  @Describe({
    summary: 'Of the page.',
    answers: { 200: file('text/javascript'), 304: null },
    headers: ['If-None-Match'],
  })
  @Get('assets/swagger-ui-bundle.js')
  @On('operator')
  @AdmitAnyone()
  viewer(@Headers('if-none-match') known: string | undefined, @Res() reply: FastifyReply): Promise<void> {
    return send(reply, this.assets.viewer(), known);
  }

  @Describe({
    summary: 'Of the page.',
    answers: { 200: file('text/javascript'), 304: null },
    headers: ['If-None-Match'],
  })
  @Get('assets/start.js')
  @On('operator')
  @AdmitAnyone()
  start(@Headers('if-none-match') known: string | undefined, @Res() reply: FastifyReply): Promise<void> {
    return send(reply, this.assets.start(), known);
  }
}

async function send(reply: FastifyReply, { type, bytes, etag }: Asset, known: string | undefined): Promise<void> {
  reply.headers(PAGE_HEADERS).header('etag', etag).header('cache-control', 'no-cache');
  if (known?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)) await reply.status(304).send();
  else await reply.type(type).send(bytes);
}
