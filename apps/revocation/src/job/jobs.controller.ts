import { Controller, Get, HttpCode, Post, Put, Req } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, mediaType, On, openBody, PathParam, QueryParams, StreamedBody } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { EnforcementService } from '../enforcement/enforcement.service.js';
import { jobDocument } from './job.js';
import { JobLinePage, RevocationJob, RevocationJobDetail, RevocationJobPage } from './job-answers.js';
import { formatOf } from './job-lines.js';
import { JobLines } from './job-lines.repository.js';
import { FileQuery, JobBody, JobId, JobLinesQuery, JobsQuery } from './job-request.js';
import { JobUpload } from './job-upload.service.js';
import { Jobs } from './jobs.repository.js';
import { JobsService } from './jobs.service.js';

const MAX_BYTES = 32 * 1024 * 1024;
const IDLE_MS = 20_000;

/** Revocations and releases of many, and for later (docs/protocols/revocation.md). */
@Controller('/v1/revocations/jobs')
export class JobsController {
  constructor(
    private readonly service: JobsService,
    private readonly upload: JobUpload,
    private readonly jobs: Jobs,
    private readonly lines: JobLines,
    private readonly enforcement: EnforcementService,
  ) {}

  @Describe({
    summary: 'Begins a revocation or a release of many, or for later.',
    answers: { 202: RevocationJob },
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
  @Post()
  @HttpCode(202)
  @On('operator')
  @RequireOperator('ca:revoke', {}, { unlimited: true })
  async open(@JsonBody(JobBody, { alsoAsForm: true }) body: JobBody, @Admitted() operator: OperatorAdmission) {
    return jobDocument(await this.service.open(body, operator, new Date()));
  }

  @Describe({
    summary: 'Begins, or goes on with, a job of a file.',
    answers: { 202: RevocationJob },
    body: { types: ['text/csv', 'application/x-ndjson'] },
    problems: [
      'request.timeout',
      'revocation.elevation_required',
      'revocation.job_conflict',
      'revocation.job_not_found',
      'revocation.job_receiving',
      'revocation.reason_unknown',
    ],
  })
  @Put(':id')
  @HttpCode(202)
  @On('operator')
  @RequireOperator('ca:revoke', {}, { unlimited: true })
  @StreamedBody({ maxBytes: MAX_BYTES, idleMs: IDLE_MS })
  async put(
    @PathParam('id', JobId) id: string,
    @QueryParams(FileQuery) query: FileQuery,
    @Req() request: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    const format = formatOf(mediaType(request));
    if (!format)
      throw new DomainError('request.unsupported_media_type', { detail: 'send text/csv or application/x-ndjson' });
    return jobDocument(await this.upload.receive(id, format, query, openBody(request), operator, new Date()));
  }

  @Describe({
    summary: 'Jobs, the newest first.',
    answers: { 200: RevocationJobPage },
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list(@QueryParams(JobsQuery) { after, before, state, limit }: z.infer<typeof JobsQuery>) {
    const found = await this.jobs.list(after ?? before, state, limit);
    const last = found.at(-1);
    return { items: found.map(jobDocument), next: last && found.length === limit ? last.position : null };
  }

  @Describe({
    summary: 'A job, how far it is, and who enforces it.',
    answers: { 200: RevocationJobDetail },
    problems: ['revocation.job_not_found'],
  })
  @Get(':id')
  @On('operator')
  @RequireOperator('device:read')
  async show(@PathParam('id', JobId) id: string) {
    const job = await this.jobs.mustFind(id);
    if (job.sequence === 0) return jobDocument(job);
    const { enforcedBy, pending } = await this.enforcement.of(job.sequence, performance.now(), 0, { bulk: true });
    return { ...jobDocument(job), enforcedBy: enforcedBy.map(({ instance }) => instance), pending };
  }

  @Describe({
    summary: 'What became of each line of a job.',
    answers: { 200: JobLinePage },
    problems: ['revocation.job_not_found'],
  })
  @Get(':id/lines')
  @On('operator')
  @RequireOperator('device:read')
  async page(
    @PathParam('id', JobId) id: string,
    @QueryParams(JobLinesQuery) { outcome, after, limit }: z.infer<typeof JobLinesQuery>,
  ) {
    await this.jobs.mustFind(id);
    const found = await this.lines.page(id, outcome, after, limit);
    const items = found.map(({ line, kind, value, outcome: became, detail }) => ({
      line,
      [kind === 'device' ? 'device_id' : kind]: value,
      outcome: became ?? 'left',
      ...(detail ? { detail } : {}),
    }));
    const last = found.at(-1);
    return { items, next: last && found.length === limit ? String(last.line) : null };
  }

  @Describe({
    summary: 'Ends a job: what is not done yet is left.',
    answers: { 200: RevocationJob },
    problems: ['revocation.job_closed', 'revocation.job_not_found'],
  })
  @Post(':id/cancel')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('ca:revoke')
  async cancel(@PathParam('id', JobId) id: string, @Admitted() { subject }: OperatorAdmission) {
    return jobDocument(await this.service.cancel(id, subject));
  }
}
