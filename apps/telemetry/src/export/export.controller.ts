import { Controller, Get, Req, Res } from '@nestjs/common';
import { DeviceId } from '@outrider/ids';
import { RequireOperator, requireStillAdmitted } from '@outrider/platform/admission';
import { On, PathParam, QueryParams } from '@outrider/platform/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { RangeQuery, timeRange } from '../reading/range.js';
import { ReadingPlaces } from '../reading/reading-places.service.js';
import { StreamedAnswer } from '../reading/streamed-answer.provider.js';
import { unlessWithdrawn } from '../reading/withdrawn.js';
import { ExportService } from './export.service.js';

const ExportQuery = z.strictObject(RangeQuery);
type ExportQuery = z.output<typeof ExportQuery>;

@Controller('/v1/devices/:device/telemetry/export')
export class ExportController {
  constructor(
    private readonly exports: ExportService,
    private readonly places: ReadingPlaces,
  ) {}

  @Get()
  @On('operator')
  @RequireOperator('device:read')
  export(
    @PathParam('device', DeviceId) device: DeviceId,
    @QueryParams(ExportQuery) query: ExportQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.places.within('range', async () => {
      const parts = this.exports.run(device, timeRange(query), new Date());
      const head = await parts.next();
      // The first record comes before the status: a PostgreSQL that is away is a 503.
      let next = await parts.next();
      const name = `attachment; filename="telemetry-${device}.ndjson"`;
      const answer = new StreamedAnswer(request, reply, 'application/x-ndjson', { 'content-disposition': name });
      const check = unlessWithdrawn(
        () => requireStillAdmitted(request),
        () => performance.now(),
      );
      try {
        if (!head.done && !(await answer.write(head.value))) return;
        for (; !next.done; next = await parts.next()) {
          check();
          if (!(await answer.write(next.value))) return;
        }
        answer.end();
      } catch (error) {
        answer.cut();
        throw error;
      }
    });
  }
}
