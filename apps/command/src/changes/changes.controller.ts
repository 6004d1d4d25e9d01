import { Controller, Get, Headers, Req, Res } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { RequireOperator } from '@outrider/platform/admission';
import { On, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sseSink } from '../delivery/sse.provider.js';
import { ChangeQuery, positionOf } from './change.js';
import { CommandChange } from './change-answers.js';
import { ChangeStreams } from './change-streams.service.js';

@Controller()
export class ChangesController {
  constructor(private readonly streams: ChangeStreams) {}

  /** Server-sent events `change`; `refused` says why a stream ends before its time. */
  @Describe({
    summary:
      'Server-sent events: `change` for each step of the commands that the query names; `refused` says why the stream ends.',
    answers: { 200: { schema: CommandChange, types: ['text/event-stream'] } },
    headers: ['Last-Event-ID'],
  })
  @Get('/v1/command-changes')
  @On('operator')
  @RequireOperator('device:read')
  async watch(
    @QueryParams(ChangeQuery) query: ChangeQuery,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const behind = lastEventId === undefined ? undefined : positionOf(lastEventId);
    if (lastEventId !== undefined && !behind)
      throw new DomainError('request.invalid', { detail: 'Last-Event-ID: no event of this stream' });
    this.streams.requireRoom();
    const { sink, end } = sseSink(request, reply);
    try {
      await this.streams.run(request, sink, query, behind);
      end();
    } catch (error) {
      end(error);
    }
  }
}
