import { Controller, HttpCode, Post, Res } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { jobDocument } from '../job/job.js';
import { JobsService } from '../job/jobs.service.js';
import { RevokeService } from './revoke.service.js';
import { RevocationJobOpened, Revoked } from './revoke-answers.js';
import { RevokeBody, RevokeQuery } from './revoke-request.js';

@Controller()
export class RevokeController {
  constructor(
    private readonly service: RevokeService,
    private readonly jobs: JobsService,
  ) {}

  /** 200 with what was revoked; 202 with the job where it is of many, or for later. */
  @Describe({
    summary:
      'Takes certificates out of service for good: a certificate, a device, a key; 202 with a job where it is of many, or for later.',
    answers: { 200: Revoked, 202: RevocationJobOpened },
    problems: [
      'policy.denied',
      'policy.invalid',
      'policy.unavailable',
      'provisioning.device_not_found',
      'revocation.certificate_unknown',
      'revocation.elevation_required',
      'revocation.job_not_found',
      'revocation.reason_unknown',
      'revocation.target_conflict',
      'revocation.target_missing',
      'service.upstream_invalid',
      'service.upstream_unavailable',
    ],
  })
  @Post('/revoke')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('ca:revoke', {}, { unlimited: true })
  async revoke(
    @JsonBody(RevokeBody, { alsoAsForm: true }) body: RevokeBody,
    @QueryParams(RevokeQuery) query: z.infer<typeof RevokeQuery>,
    @Admitted() operator: OperatorAdmission,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const now = new Date();
    const job = await this.jobs.openIfMany(body, operator, now);
    if (!job) return this.service.revoke(body, query.wait, operator, now);
    reply.status(202);
    return { job: jobDocument(job) };
  }
}
