import { Controller, Get, Req, Res } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { DeviceId } from '@outrider/ids';
import { RequireOperator, requireStillAdmitted } from '@outrider/platform/admission';
import { accepted, failureOf, On, PathParam, QueryParams, StreamedAnswer, sse } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { decodeCursor } from '../reading/cursor.js';
import { negotiate } from '../reading/media-type.js';
import { DecodedRecord } from '../reading/reading-answers.js';
import { ReadingPlaces } from '../reading/reading-places.service.js';
import { VIEWS } from '../reading/stored-message.js';
import { TailService } from './tail.service.js';

const TailQuery = z.strictObject({
  after: z.string().max(256).optional(),
  last: z.coerce.number().int().min(0).max(500).default(0),
  view: z.enum(VIEWS).default('decoded'),
});
type TailQuery = z.output<typeof TailQuery>;
const FORMS = ['text/event-stream'] as const;

@Controller('/v1/devices/:device/telemetry/tail')
export class TailController {
  constructor(
    private readonly tail: TailService,
    private readonly places: ReadingPlaces,
  ) {}

  /** Server-sent events, each `record` with its cursor as id; ends with the right to read, and the reader comes back with `Last-Event-ID`. */
  @Describe({
    summary: 'Server-sent events: `record` for each record as it is stored; `error` says why the stream ends.',
    answers: { 200: { schema: DecodedRecord, types: ['text/event-stream'] } },
    headers: ['Last-Event-ID'],
    problems: ['request.not_acceptable', 'service.overloaded'],
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  follow(
    @PathParam('device', DeviceId) deviceId: DeviceId,
    @QueryParams(TailQuery) { after, last, view }: TailQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    accepted(negotiate(request.headers.accept, FORMS), FORMS);
    const cursor = lastEventId(request) ?? after;
    const start = { deviceId, after: cursor === undefined ? undefined : decodeCursor(cursor), last, view };
    return this.places.within('tail', async () => {
      let answer: StreamedAnswer | undefined;
      const open = () => (answer = new StreamedAnswer(request, reply, FORMS[0]));
      try {
        await this.tail.follow(start, () => requireStillAdmitted(request), open);
      } catch (error) {
        if (!answer || !(error instanceof DomainError)) throw error;
        await answer.write(sse('error', failureOf(error)));
      } finally {
        answer?.end();
      }
    });
  }
}

/** What a reader that comes back has seen last (HTML standard, 9.2.4). */
function lastEventId(request: FastifyRequest): string | undefined {
  const value = request.headers['last-event-id'];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
