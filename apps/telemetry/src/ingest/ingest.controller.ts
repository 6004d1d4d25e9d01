import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { AdmitToken, Admitted, type VehicleAdmission } from '@outrider/platform/admission';
import { bodyBytes, On, peerOf } from '@outrider/platform/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Limits } from '../limits/limits.service.js';
import { prefers } from '../receipt/prefer.js';
import type { Answer } from './answer.js';
import { IngestService } from './ingest.service.js';

@Controller('/v1/telemetry')
export class IngestController {
  constructor(
    private readonly ingest: IngestService,
    private readonly limits: Limits,
  ) {}

  @Post()
  @HttpCode(200)
  @On('vehicle')
  @AdmitToken({ scopes: ['telemetry:write'] })
  async receive(
    @Req() request: FastifyRequest,
    @Admitted() { deviceId, certificate, claims }: VehicleAdmission,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Answer> {
    const { remoteAddress } = peerOf(request.raw);
    const sender = { deviceId, certificate, tokenId: claims.jti, remoteAddress };
    const onReceipt = prefers(request.headers.prefer, 'receipt')
      ? () => void reply.header('preference-applied', 'receipt')
      : undefined;
    const contentType = request.headers['content-type'] ?? '';
    try {
      const answer = await this.ingest.ingest(sender, bodyBytes(request), contentType, onReceipt);
      reply.headers(this.limits.headers(deviceId));
      return answer;
    } catch (error) {
      reply.headers(this.limits.headers(deviceId, error));
      throw error;
    }
  }
}
