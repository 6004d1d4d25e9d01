import { Controller, Get, HttpCode, Post, Req } from '@nestjs/common';
import { ACR, type StepUp } from '@outrider/admission';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { bodyBytes, JsonBody, On, PathParam, parseJsonBody, QueryParams } from '@outrider/platform/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { PageQuery } from '../send/page.js';
import { evidenceOf, requesterOf, requestKeyOf } from '../send/requester.provider.js';
import { type BatchDecision, BatchRequest, batchDocument, ReasonBody } from './batch.js';
import { Batches } from './batches.repository.js';
import { BatchesService } from './batches.service.js';

/** Who agrees to a command for many has just shown two factors: a token that lies about will not do. */
const JUST_SIGNED_IN: StepUp = { acr: ACR.mfa, maxAgeSeconds: 300 };

const Id = z.uuid();
const DevicesQuery = z.strictObject({
  after: z.string().max(64).default(''),
  limit: z.coerce.number().int().min(1).max(1000).default(200),
});

@Controller('/v1/command-batches')
export class BatchesController {
  constructor(
    private readonly service: BatchesService,
    private readonly batches: Batches,
  ) {}

  @Post('preview')
  @On('operator')
  @RequireOperator('command:send')
  @HttpCode(200)
  preview(
    @JsonBody(BatchRequest) body: BatchRequest,
    @Req() request: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    return this.service.preview(body, requesterOf(operator, request), new Date());
  }

  @Post()
  @On('operator')
  @RequireOperator('command:send')
  @HttpCode(202)
  request(
    @JsonBody(BatchRequest) body: BatchRequest,
    @Req() request: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    return this.service.request(body, requesterOf(operator, request), requestKeyOf(request, 'command-batches'));
  }

  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list(@QueryParams(PageQuery) { before, limit }: PageQuery) {
    const found = await this.batches.list(before, limit);
    const last = found.at(-1);
    return {
      items: found.map(({ batch }) => batchDocument(batch)),
      ...(last && found.length === limit ? { next: last.position } : {}),
    };
  }

  @Get(':id')
  @On('operator')
  @RequireOperator('device:read')
  async show(@PathParam('id', Id) id: string) {
    const [batch, counts, history] = await Promise.all([
      this.batches.mustFind(id),
      this.batches.counts(id),
      this.batches.history(id),
    ]);
    const lines = history.map(({ state, who, reason, at }) => ({
      state,
      at: at.toISOString(),
      ...(who ? { who } : {}),
      ...(reason ? { reason } : {}),
    }));
    return { ...batchDocument(batch), ...counts, history: lines };
  }

  @Get(':id/devices')
  @On('operator')
  @RequireOperator('device:read')
  async devices(
    @PathParam('id', Id) id: string,
    @QueryParams(DevicesQuery) { after, limit }: z.infer<typeof DevicesQuery>,
  ) {
    await this.batches.mustFind(id);
    const items = await this.batches.devices(id, after, limit);
    const last = items.at(-1);
    return { items: items.map(withoutNulls), ...(last && items.length === limit ? { next: last.device_id } : {}) };
  }

  @Post(':id/approve')
  @On('operator')
  @RequireOperator('elevation:approve', JUST_SIGNED_IN)
  @HttpCode(200)
  async approve(
    @PathParam('id', Id) id: string,
    @Req() request: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    return batchDocument(await this.service.approve(id, decisionOf(request, operator)));
  }

  @Post(':id/reject')
  @On('operator')
  @RequireOperator('elevation:approve')
  @HttpCode(200)
  async reject(
    @PathParam('id', Id) id: string,
    @Req() request: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    return batchDocument(await this.service.reject(id, decisionOf(request, operator)));
  }

  @Post(':id/cancel')
  @On('operator')
  @RequireOperator('command:send')
  @HttpCode(200)
  async cancel(
    @PathParam('id', Id) id: string,
    @Req() request: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    return batchDocument(await this.service.cancel(id, decisionOf(request, operator)));
  }
}

/** A body may be left out. */
function decisionOf(request: FastifyRequest, operator: OperatorAdmission): BatchDecision {
  const reason = bodyBytes(request).length === 0 ? undefined : parseJsonBody(request, ReasonBody).reason;
  return { by: operator.subject, reason, evidence: evidenceOf(operator, request), now: new Date() };
}

function withoutNulls(row: object): object {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}
