import { Controller, Get, Headers, HttpCode, Post, Req } from '@nestjs/common';
import { ACR, type StepUp } from '@outrider/admission';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { bodyBytes, JsonBody, keyedId, On, PathParam, parseJsonBody, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DecisionBody, ElevationBody, ElevationQuery, elevationCursor } from './elevation.js';
import { ElevationService } from './elevation.service.js';
import { ElevationDetail, ElevationDocument, ElevationPage, elevationDocument } from './elevation-answers.js';
import { Elevations } from './elevations.repository.js';

/** Who grants a right has just shown two factors: a token that lies about will not do. */
const JUST_SIGNED_IN: StepUp = { acr: ACR.mfa, maxAgeSeconds: 300 };

const Id = z.uuid();

@Controller('v1/elevations')
export class ElevationsController {
  constructor(
    private readonly service: ElevationService,
    private readonly elevations: Elevations,
  ) {}

  @Describe({
    summary: 'Asks for a right for a while; somebody else decides.',
    answers: { 201: ElevationDocument },
    headers: ['Idempotency-Key'],
    problems: ['auth.role_insufficient', 'elevation.not_allowed', 'elevation.too_many', 'request.idempotency_mismatch'],
  })
  @Post()
  @On('operator')
  @RequireOperator('elevation:request')
  async request(
    @JsonBody(ElevationBody) body: ElevationBody,
    @Headers('idempotency-key') key: string | undefined,
    @Admitted() operator: OperatorAdmission,
  ) {
    const now = new Date();
    const keyed = keyedId(key, operator.subject, 'elevation');
    return elevationDocument(await this.service.request(operator, body, keyed, now), now);
  }

  @Describe({
    summary: 'Elevations, the newest first.',
    answers: { 200: ElevationPage },
  })
  @Get()
  @On('operator')
  @RequireOperator('operator:read')
  async list(@QueryParams(ElevationQuery) query: ElevationQuery) {
    const now = new Date();
    const found = await this.elevations.page(query);
    const shown = found.slice(0, query.limit);
    const last = shown.at(-1);
    return {
      items: shown.map((elevation) => elevationDocument(elevation, now)),
      next: found.length > shown.length && last ? elevationCursor(last) : null,
    };
  }

  @Describe({
    summary: 'An elevation and who did what to it.',
    answers: { 200: ElevationDetail },
    problems: ['elevation.not_found'],
  })
  @Get(':id')
  @On('operator')
  @RequireOperator('operator:read')
  async show(@PathParam('id', Id) elevationId: string) {
    const elevation = await this.elevations.mustFind(elevationId);
    return { ...elevationDocument(elevation, new Date()), history: await this.elevations.history(elevationId) };
  }

  @Describe({
    summary: 'Grants somebody else’s request.',
    answers: { 200: ElevationDocument },
    body: { schema: DecisionBody, types: ['application/json'], optional: true },
    problems: [
      'auth.role_insufficient',
      'elevation.closed',
      'elevation.not_found',
      'elevation.same_person',
      'policy.denied',
      'policy.invalid',
      'policy.unavailable',
    ],
  })
  @Post(':id/approve')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('elevation:approve', JUST_SIGNED_IN)
  async approve(
    @PathParam('id', Id) elevationId: string,
    @Req() request: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    const now = new Date();
    return elevationDocument(await this.service.approve(elevationId, operator, reasonOf(request), now), now);
  }

  @Describe({
    summary: 'Refuses a request.',
    answers: { 200: ElevationDocument },
    body: { schema: DecisionBody, types: ['application/json'], optional: true },
    problems: ['auth.role_insufficient', 'elevation.closed', 'elevation.not_found'],
  })
  @Post(':id/reject')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('elevation:approve')
  async reject(
    @PathParam('id', Id) elevationId: string,
    @Req() request: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    const now = new Date();
    return elevationDocument(await this.service.reject(elevationId, operator, reasonOf(request), now), now);
  }

  /** One's own by `elevation:request`; another's needs `elevation:approve` too. */
  @Describe({
    summary: 'Ends an elevation: one’s own by `elevation:request`, another’s by `elevation:approve` too.',
    answers: { 200: ElevationDocument },
    body: { schema: DecisionBody, types: ['application/json'], optional: true },
    problems: [
      'auth.role_insufficient',
      'elevation.closed',
      'elevation.not_found',
      'service.upstream_invalid',
      'service.upstream_unavailable',
    ],
  })
  @Post(':id/revoke')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('elevation:request')
  async revoke(
    @PathParam('id', Id) elevationId: string,
    @Req() request: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    const now = new Date();
    return elevationDocument(await this.service.revoke(elevationId, operator, reasonOf(request), now), now);
  }
}

/** A body may be left out. */
function reasonOf(request: FastifyRequest): string | undefined {
  return bodyBytes(request).length === 0 ? undefined : parseJsonBody(request, DecisionBody).reason;
}
