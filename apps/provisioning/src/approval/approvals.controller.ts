import { Controller, Get, HttpCode, Post, Req } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { bodyBytes, JsonBody, On, PathParam, parseJsonBody, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ApprovalQuery, ApproveBody, approvalDocument, RejectBody } from './approval.js';
import { EnrolmentApproval, EnrolmentApprovalPage } from './approval-answers.js';
import { Approvals } from './approvals.repository.js';
import { ApprovalService } from './approvals.service.js';

const DEFAULT_LIMIT = 100;
const ApprovalId = z.uuid();

@Controller('/v1/enrolments')
export class ApprovalsController {
  constructor(
    private readonly approvals: Approvals,
    private readonly service: ApprovalService,
  ) {}

  @Describe({
    summary: 'Enrolments that wait, or waited, for an approval.',
    answers: { 200: EnrolmentApprovalPage },
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list(@QueryParams(ApprovalQuery) query: ApprovalQuery) {
    const now = new Date();
    const limit = query.limit ?? DEFAULT_LIMIT;
    const found = await this.approvals.page(query, limit + 1, now);
    const items = found.slice(0, limit);
    return {
      items: items.map((one) => approvalDocument(one, now)),
      next: found.length > limit ? (items.at(-1)?.sequence ?? null) : null,
    };
  }

  @Describe({
    summary: 'Lets an enrolment go on.',
    answers: { 200: EnrolmentApproval },
    body: { schema: ApproveBody, types: ['application/json', 'application/x-www-form-urlencoded'], optional: true },
    problems: ['provisioning.enrolment_conflict', 'provisioning.enrolment_not_found'],
  })
  @Post(':id/approve')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('device:write')
  async approve(
    @PathParam('id', ApprovalId) id: string,
    @Req() request: FastifyRequest,
    @Admitted() { subject: by }: OperatorAdmission,
  ) {
    const now = new Date();
    // A reason may be given: no body says none.
    const { reason } = bodyBytes(request).length === 0 ? {} : parseJsonBody(request, ApproveBody, { alsoAsForm: true });
    return approvalDocument(
      await this.service.decide(id, { decision: 'approved', by, reason: reason ?? null }, now),
      now,
    );
  }

  @Describe({
    summary: 'Refuses an enrolment.',
    answers: { 200: EnrolmentApproval },
    problems: ['provisioning.enrolment_conflict', 'provisioning.enrolment_not_found'],
  })
  @Post(':id/reject')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('device:write')
  async reject(
    @PathParam('id', ApprovalId) id: string,
    @JsonBody(RejectBody, { alsoAsForm: true }) { reason }: z.infer<typeof RejectBody>,
    @Admitted() { subject: by }: OperatorAdmission,
  ) {
    const now = new Date();
    return approvalDocument(await this.service.decide(id, { decision: 'rejected', by, reason }, now), now);
  }
}
