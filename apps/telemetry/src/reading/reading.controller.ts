import { Controller, Get } from '@nestjs/common';
import { DeviceId } from '@outrider/ids';
import { RequireOperator } from '@outrider/platform/admission';
import { On, PathParam, QueryParams } from '@outrider/platform/http';
import { z } from 'zod';
import { decodeCursor } from './cursor.js';
import { ReadingRepository } from './reading.repository.js';
import { toPage } from './stored-message.js';

const Count = z.coerce.number().int().min(1).max(500);
/** A page after a cursor (none: from the beginning), or the `latest` ones, whose cursor goes on from there. */
const PageQuery = z.union([
  z.strictObject({ latest: Count }),
  z.strictObject({ after: z.string().max(256).optional(), limit: Count.default(100) }),
]);
type PageQuery = z.output<typeof PageQuery>;

@Controller('/v1')
export class ReadingController {
  constructor(private readonly messages: ReadingRepository) {}

  @Get('/telemetry')
  @On('operator')
  @RequireOperator('device:read')
  all(@QueryParams(PageQuery) query: PageQuery) {
    return this.page(undefined, query);
  }

  @Get('/devices/:device/telemetry')
  @On('operator')
  @RequireOperator('device:read')
  ofDevice(@PathParam('device', DeviceId) device: DeviceId, @QueryParams(PageQuery) query: PageQuery) {
    return this.page(device, query);
  }

  private async page(device: DeviceId | undefined, query: PageQuery) {
    if ('latest' in query) return toPage(await this.messages.latest(device, query.latest), undefined);
    const { after, limit } = query;
    const position = after === undefined ? undefined : decodeCursor(after);
    return toPage(await this.messages.page(device, position, limit), after);
  }
}
