import { Controller, Get, Req, Res } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { DeviceId } from '@outrider/ids';
import { RequireOperator } from '@outrider/platform/admission';
import { accepted, ndjson, On, PathParam, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { decodeCursor, encodeCursor, type Position } from './cursor.js';
import { negotiate } from './media-type.js';
import { MessagesInRange } from './messages-in-range.service.js';
import { RangeQuery, startOf, timeRange } from './range.js';
import { ReadingRepository, SOURCES } from './reading.repository.js';
import { RecordPage } from './reading-answers.js';
import { ReadingPlaces } from './reading-places.service.js';
import { positionOf, type StoredMessage, toItem, toPage, VIEWS, type View } from './stored-message.js';
import { streamParts } from './stream-parts.provider.js';

const MAX_PAGE = 500;
const Count = z.coerce.number().int().min(1).max(MAX_PAGE);
const ViewQuery = { view: z.enum(VIEWS).default('raw') };
/** A page after a cursor (none: from the beginning), or the `latest` ones, whose cursor goes on from there. */
const PageQuery = z.union([
  z.strictObject({ latest: Count, ...ViewQuery }),
  z.strictObject({ after: z.string().max(256).optional(), limit: Count.default(100), ...ViewQuery }),
]);
type PageQuery = z.output<typeof PageQuery>;
/** Both unless one is asked for: what a log brought is part of what the device sent. */
const SourceQuery = { source: z.enum(SOURCES).default('all') };
const DeviceQuery = z.union([
  z.strictObject({ latest: Count, ...RangeQuery, ...ViewQuery, ...SourceQuery }),
  z.strictObject({
    after: z.string().max(256).optional(),
    limit: z.coerce.number().int().min(1).max(1_000_000_000).optional(),
    ...RangeQuery,
    ...ViewQuery,
    ...SourceQuery,
  }),
]);
type DeviceQuery = z.output<typeof DeviceQuery>;
const FORMS = ['application/json', 'application/x-ndjson'] as const;
const DEFAULT_LIMIT = 100;

@Controller('/v1')
export class ReadingController {
  constructor(
    private readonly messages: ReadingRepository,
    private readonly range: MessagesInRange,
    private readonly places: ReadingPlaces,
  ) {}

  @Describe({
    summary: 'Records of all devices as they were stored.',
    answers: { 200: RecordPage },
  })
  @Get('/telemetry')
  @On('operator')
  @RequireOperator('device:read')
  async all(@QueryParams(PageQuery) query: PageQuery) {
    if ('latest' in query) return toPage(await this.messages.latestOfAll(query.latest), query.view);
    const { after, limit, view } = query;
    const page = await this.messages.pageOfAll(positionAfter(after) ?? startOf(undefined), limit);
    return toPage(page, view);
  }

  @Describe({
    summary: 'Records of a device: a page, or all of a range as NDJSON.',
    answers: { 200: { schema: RecordPage, types: ['application/json', 'application/x-ndjson'] } },
    problems: ['request.not_acceptable', 'service.overloaded'],
  })
  @Get('/devices/:device/telemetry')
  @On('operator')
  @RequireOperator('device:read')
  async ofDevice(
    @PathParam('device', DeviceId) device: DeviceId,
    @QueryParams(DeviceQuery) query: DeviceQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const form = accepted(negotiate(request.headers.accept, FORMS), FORMS);
    const range = timeRange(query);
    if ('latest' in query) {
      const latest = await this.messages.latest(device, range, query.latest, query.source);
      if (form === FORMS[0]) await reply.send(toPage(latest, query.view));
      else await reply.type(form).send(latest.map((message) => line(message, query.view)).join(''));
      return;
    }
    if (form === FORMS[1]) return this.stream(device, query, request, reply);
    const { after, limit = DEFAULT_LIMIT, view, source } = query;
    if (limit > MAX_PAGE) throw new DomainError('request.invalid', { detail: `limit: ${MAX_PAGE} at most a page` });
    const page = await this.messages.page(device, startAfter(after, range.from), range.to, limit, source);
    await reply.send(toPage(page, view));
  }

  /** The whole range, a line each; `cursor` in each line, so that a reader that was cut off can go on after it. */
  private stream(
    device: DeviceId,
    query: Exclude<DeviceQuery, { latest: number }>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    const { after, limit, view, source } = query;
    const range = timeRange(query);
    const position = after === undefined ? undefined : startAfter(after, range.from);
    return this.places.within('range', () =>
      streamParts(request, reply, this.range.pages(device, range, position, limit, source), {
        contentType: FORMS[1],
        text: (page) => page.map((message) => line(message, view)).join(''),
      }),
    );
  }
}

function line(message: StoredMessage, view: View): string {
  return ndjson({ ...toItem(message, view), cursor: encodeCursor(positionOf(message)) });
}

function positionAfter(after: string | undefined): Position | undefined {
  return after === undefined ? undefined : decodeCursor(after);
}

/** The later of the two: a cursor does not lead out of the range. */
function startAfter(after: string | undefined, from: Date | undefined): Position {
  const start = startOf(from);
  const position = positionAfter(after);
  return position && BigInt(position[0]) >= BigInt(start[0]) ? position : start;
}
