import { Controller, HttpCode, Post, Req } from '@nestjs/common';
import { AdmitToken } from '@outrider/platform/admission';
import { bodyBytes, mediaType, On } from '@outrider/platform/http';
import type { FastifyRequest } from 'fastify';
import type { Answer } from './answer.js';
import { IngestService, type Sender } from './ingest.service.js';
import { From } from './sender.provider.js';

@Controller('/v1/telemetry')
export class IngestController {
  constructor(private readonly ingest: IngestService) {}

  @Post()
  @HttpCode(200)
  @On('vehicle')
  @AdmitToken({ scopes: ['telemetry:write'] })
  receive(@Req() request: FastifyRequest, @From() sender: Sender): Promise<Answer> {
    return this.ingest.ingest(sender, bodyBytes(request), mediaType(request));
  }
}
