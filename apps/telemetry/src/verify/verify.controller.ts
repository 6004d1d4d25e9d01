import { Controller, Get, Req, Res } from '@nestjs/common';
import { DeviceId } from '@outrider/ids';
import { RequireOperator } from '@outrider/platform/admission';
import { accepted, failureOf, ndjson, On, PathParam, QueryParams, sse } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { negotiate } from '../reading/media-type.js';
import { RangeQuery, timeRange } from '../reading/range.js';
import { ReadingPlaces } from '../reading/reading-places.service.js';
import { streamParts } from '../reading/stream-parts.provider.js';
import { type VerifyEvent, VerifyService } from './verify.service.js';

const VerifyQuery = z.strictObject(RangeQuery);
type VerifyQuery = z.output<typeof VerifyQuery>;
const FORMS = ['application/x-ndjson', 'text/event-stream'] as const;

@Controller('/v1/devices/:device/telemetry/verify')
export class VerifyController {
  constructor(
    private readonly verification: VerifyService,
    private readonly places: ReadingPlaces,
  ) {}

  @Describe({
    summary:
      'Verifies again what is stored: `progress`, `fault` and at last `summary`, as lines or as server-sent events.',
    answers: { 200: { types: ['application/x-ndjson', 'text/event-stream'] } },
    problems: [
      'request.not_acceptable',
      'service.overloaded',
      'service.upstream_invalid',
      'service.upstream_unavailable',
      'telemetry.unknown_device',
    ],
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  verify(
    @PathParam('device', DeviceId) device: DeviceId,
    @QueryParams(VerifyQuery) query: VerifyQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const form = accepted(negotiate(request.headers.accept, FORMS), FORMS);
    const line = form === 'text/event-stream' ? eventOf : lineOf;
    return this.places.within('verify', () =>
      streamParts<Said>(request, reply, this.verification.run(device, timeRange(query)), {
        contentType: form,
        text: line,
        failed: (error) => line({ event: 'error', data: failureOf(error) }),
      }),
    );
  }
}

type Said = VerifyEvent | { readonly event: 'error'; readonly data: ReturnType<typeof failureOf> };

function lineOf({ event, data }: Said): string {
  return ndjson({ event, ...data });
}

function eventOf({ event, data }: Said): string {
  return sse(event, data);
}
