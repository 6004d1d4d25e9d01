import { Controller, HttpCode, Post, Res } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, QueryParams } from '@outrider/platform/http';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { jobDocument } from '../job/job.js';
import { JobsService } from '../job/jobs.service.js';
import { RevokeService } from './revoke.service.js';
import { RevokeBody, RevokeQuery } from './revoke-request.js';

@Controller()
export class RevokeController {
  constructor(
    private readonly service: RevokeService,
    private readonly jobs: JobsService,
  ) {}

  /** 200 with what was revoked; 202 with the job where it is of many, or for later. */
  @Post('/revoke')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('ca:revoke')
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
