import { Controller, Get, Req, Res } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Admitted, type OperatorAdmission, RequireOperator, requireStillAdmitted } from '@outrider/platform/admission';
import { failureOf, On, QueryParams, StreamedAnswer, sse } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DecisionInForm, DecisionPage } from './decision-answers.js';
import { DecisionQuery, DecisionStreamQuery, decisionPage } from './decision-query.js';
import { DecisionStreams } from './decision-stream.service.js';
import { DecisionLog } from './decisions.repository.js';

const DEFAULT_LIMIT = 100;

@Controller('v1/decisions')
export class DecisionsController {
  constructor(
    private readonly log: DecisionLog,
    private readonly streams: DecisionStreams,
  ) {}

  @Describe({
    summary: 'The decision log, the newest first.',
    answers: { 200: DecisionPage },
  })
  @Get()
  @On('operator')
  @RequireOperator('evidence:read')
  async list(@QueryParams(DecisionQuery) { form, after, limit = DEFAULT_LIMIT, ...filter }: DecisionQuery) {
    return decisionPage(await this.log.find(filter, after, limit + 1), limit, form);
  }

  /** Server-sent events, each `decision` with its id; ends with the right to read by an `error`. */
  @Describe({
    summary:
      'Server-sent events: `decision` with its id for each decision that the filter takes; `error` says why the stream ends.',
    answers: { 200: { schema: DecisionInForm, types: ['text/event-stream'] } },
    headers: ['Last-Event-ID'],
    problems: ['service.overloaded'],
  })
  @Get('stream')
  @On('operator')
  @RequireOperator('evidence:read')
  async follow(
    @QueryParams(DecisionStreamQuery) { form = 'outrider', after, ...filter }: DecisionStreamQuery,
    @Admitted() { subject: reader }: OperatorAdmission,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const start = { reader, filter, form, after: lastEventId(request) ?? after };
    let answer: StreamedAnswer | undefined;
    const open = () => (answer = new StreamedAnswer(request, reply, 'text/event-stream'));
    try {
      await this.streams.follow(start, () => requireStillAdmitted(request), open);
    } catch (error) {
      if (!answer || !(error instanceof DomainError)) throw error;
      await answer.write(sse('error', failureOf(error)));
    } finally {
      answer?.end();
    }
  }
}

/** What a reader that comes back has seen last (HTML standard, 9.2.4); what is no id of ours is none. */
function lastEventId({ headers }: FastifyRequest): string | undefined {
  return DecisionStreamQuery.shape.after.safeParse(headers['last-event-id']).data;
}
