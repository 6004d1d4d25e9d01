import { Controller, Get, Req, Res } from '@nestjs/common';
import { DeviceId } from '@outrider/ids';
import { RequireOperator } from '@outrider/platform/admission';
import { On, PathParam, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { RangeQuery, timeRange } from '../reading/range.js';
import { ReadingPlaces } from '../reading/reading-places.service.js';
import { streamParts } from '../reading/stream-parts.provider.js';
import { ExportService } from './export.service.js';

const ExportQuery = z.strictObject(RangeQuery);
type ExportQuery = z.output<typeof ExportQuery>;

@Controller('/v1/devices/:device/telemetry/export')
export class ExportController {
  constructor(
    private readonly exports: ExportService,
    private readonly places: ReadingPlaces,
  ) {}

  @Describe({
    summary: 'A device’s records with all that proves them, a line each; the last is the signed manifest.',
    answers: { 200: { types: ['application/x-ndjson'] } },
    problems: [
      'service.overloaded',
      'service.upstream_invalid',
      'service.upstream_unavailable',
      'telemetry.unknown_device',
    ],
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  export(
    @PathParam('device', DeviceId) device: DeviceId,
    @QueryParams(ExportQuery) query: ExportQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.places.within('range', () =>
      streamParts(request, reply, this.exports.run(device, timeRange(query), new Date()), {
        contentType: 'application/x-ndjson',
        headers: { 'content-disposition': `attachment; filename="telemetry-${device}.ndjson"` },
        text: (lines) => lines,
      }),
    );
  }
}
