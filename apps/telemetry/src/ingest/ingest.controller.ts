import { Controller, HttpCode, Post, Req } from '@nestjs/common';
import { AdmitToken, Admitted, type VehicleAdmission } from '@outrider/platform/admission';
import { bodyBytes, On, peerOf } from '@outrider/platform/http';
import type { FastifyRequest } from 'fastify';
import type { Answer } from './answer.js';
import { IngestService } from './ingest.service.js';

@Controller('/v1/telemetry')
export class IngestController {
  constructor(private readonly ingest: IngestService) {}

  @Post()
  @HttpCode(200)
  @On('vehicle')
  @AdmitToken({ scopes: ['telemetry:write'] })
  receive(
    @Req() request: FastifyRequest,
    @Admitted() { deviceId, certificate, claims }: VehicleAdmission,
  ): Promise<Answer> {
    const { remoteAddress } = peerOf(request.raw);
    const sender = { deviceId, certificate, tokenId: claims.jti, remoteAddress };
    return this.ingest.ingest(sender, bodyBytes(request), request.headers['content-type'] ?? '');
  }
}
