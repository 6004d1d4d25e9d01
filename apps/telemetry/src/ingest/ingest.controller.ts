import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { AdmitToken, Admitted, type VehicleAdmission } from '@outrider/platform/admission';
import { bodyBytes, On, peerOf } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Limits } from '../limits/limits.service.js';
import { prefers } from '../receipt/prefer.js';
import type { Answer } from './answer.js';
import { IngestService } from './ingest.service.js';
import { TelemetryAnswer } from './ingest-answers.js';

@Controller('/v1/telemetry')
export class IngestController {
  constructor(
    private readonly ingest: IngestService,
    private readonly limits: Limits,
  ) {}

  @Describe({
    summary:
      'Takes signed telemetry: a message, many, or a signed batch. One alone that is refused is a problem with the members of this answer.',
    answers: { 200: { schema: TelemetryAnswer, headers: ['RateLimit'] } },
    body: {
      types: [
        'application/json',
        'application/x-ndjson',
        'application/cose',
        'application/cose-seq',
        'application/cbor-seq',
        'application/jose',
        'application/jose+json',
      ],
    },
    headers: ['DPoP'],
    problems: [
      'request.too_many',
      'service.overloaded',
      'service.upstream_invalid',
      'service.upstream_unavailable',
      'telemetry.bad_signature',
      'telemetry.epoch_closed',
      'telemetry.invalid',
      'telemetry.skewed',
      'telemetry.unknown_kid',
      'telemetry.wrong_device',
    ],
  })
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
