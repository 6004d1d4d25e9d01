import { Controller, Get, HttpCode, Post, Req } from '@nestjs/common';
import { ACR, type StepUp } from '@outrider/admission';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { bodyBytes, JsonBody, On, PathParam, parseJsonBody, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { PageQuery } from '../send/page.js';
import { evidenceOf, requesterOf, requestKeyOf } from '../send/requester.provider.js';
import { type BatchDecision, BatchRequest, batchDocument, ReasonBody } from './batch.js';
import type { BatchDeviceLine } from './batch-answers.js';
import { BatchDevicePage, BatchPreview, CommandBatch, CommandBatchDetail, CommandBatchPage } from './batch-answers.js';
import { type BatchDevice, Batches } from './batches.repository.js';
import { BatchesService } from './batches.service.js';

/** Who agrees to a command for many has just shown two factors: a token that lies about will not do. */
const JUST_SIGNED_IN: StepUp = { acr: ACR.mfa, maxAgeSeconds: 300 };

const Id = z.uuid();
const DevicesQuery = z.strictObject({
  after: z.string().max(64).default(''),
  limit: z.coerce.number().int().min(1).max(1000).default(200),
});

/** A body may be left out. */
const REASON = { schema: ReasonBody, types: ['application/json'], optional: true };

@Controller('/v1/command-batches')
export class BatchesController {
  constructor(
    private readonly service: BatchesService,
    private readonly batches: Batches,
  ) {}

  @Describe({
    summary: 'What a batch would do, without doing it.',
    answers: { 200: BatchPreview },
    problems: [
      'auth.role_insufficient',
      'command.batch_empty',
      'command.batch_too_large',
      'command.device_unavailable',
      'command.parameters_invalid',
      'command.queue_full',
      'command.unknown_name',
      'policy.denied',
      'policy.invalid',
      'policy.unavailable',
      'service.upstream_invalid',
      'service.upstream_unavailable',
    ],
  })
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

  @Describe({
    summary: 'Sends one command to many vehicles; many of them only once a second operator has agreed.',
    answers: { 202: CommandBatch },
    headers: ['Idempotency-Key!'],
    problems: [
      'auth.role_insufficient',
      'command.batch_empty',
      'command.batch_too_large',
      'command.idempotency_key_required',
      'command.idempotency_mismatch',
      'command.parameters_invalid',
      'command.unknown_name',
      'service.upstream_invalid',
      'service.upstream_unavailable',
    ],
  })
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

  @Describe({
    summary: 'Batches, the newest first.',
    answers: { 200: CommandBatchPage },
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list(@QueryParams(PageQuery) { after, before, limit }: PageQuery) {
    const found = await this.batches.list(after ?? before, limit);
    const last = found.at(-1);
    return {
      items: found.map(({ batch }) => batchDocument(batch)),
      next: last && found.length === limit ? last.position : null,
    };
  }

  @Describe({
    summary: 'A batch, how far it is, and who decided what.',
    answers: { 200: CommandBatchDetail },
    problems: ['command.batch_not_found'],
  })
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

  @Describe({
    summary: 'The devices of a batch and what became of each.',
    answers: { 200: BatchDevicePage },
    problems: ['command.batch_not_found'],
  })
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
    return { items: items.map(withoutNulls), next: last && items.length === limit ? last.device_id : null };
  }

  @Describe({
    summary: 'Agrees to somebody else’s batch.',
    answers: { 200: CommandBatch },
    body: REASON,
    problems: [
      'auth.role_insufficient',
      'command.batch_closed',
      'command.batch_not_found',
      'command.batch_same_person',
      'service.upstream_invalid',
      'service.upstream_unavailable',
    ],
  })
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

  @Describe({
    summary: 'Refuses a batch that waits for approval.',
    answers: { 200: CommandBatch },
    body: REASON,
    problems: ['command.batch_closed', 'command.batch_not_found'],
  })
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

  @Describe({
    summary: 'Ends a batch: what is not released yet is cancelled.',
    answers: { 200: CommandBatch },
    body: REASON,
    problems: ['command.batch_closed', 'command.batch_not_found'],
  })
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

function decisionOf(request: FastifyRequest, operator: OperatorAdmission): BatchDecision {
  const reason = bodyBytes(request).length === 0 ? undefined : parseJsonBody(request, ReasonBody).reason;
  return { by: operator.subject, reason, evidence: evidenceOf(operator, request), now: new Date() };
}

function withoutNulls(row: BatchDevice): BatchDeviceLine {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as BatchDeviceLine;
}
