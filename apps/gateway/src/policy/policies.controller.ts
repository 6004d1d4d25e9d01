import { Controller, Get, Headers, HttpCode, Post, Put, Res } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply } from 'fastify';
import { BundleBody, bundleDocument, DryRunBody } from './bundle-document.js';
import { Bundles } from './bundles.repository.js';
import { PolicyService } from './policy.service.js';
import { PolicyBundle, PolicyDryRun, PolicyVersions } from './policy-answers.js';

const VERSIONS = 100;

@Controller('v1/policies')
export class PoliciesController {
  constructor(
    private readonly service: PolicyService,
    private readonly bundles: Bundles,
  ) {}

  @Describe({
    summary: 'The policies in force.',
    answers: { 200: { schema: PolicyBundle, headers: ['ETag'] } },
    problems: ['policy.unavailable'],
  })
  @Get()
  @On('operator')
  @RequireOperator('policy:read')
  async show(@Res({ passthrough: true }) reply: FastifyReply) {
    const bundle = await this.service.inForce();
    reply.header('etag', `"${bundle.version}"`);
    return bundleDocument(bundle);
  }

  /** The newest hundred, without their texts. */
  @Describe({
    summary: 'The newest hundred versions of the policies, without their texts.',
    answers: { 200: PolicyVersions },
  })
  @Get('versions')
  @On('operator')
  @RequireOperator('policy:read')
  async versions() {
    const items = (await this.bundles.versions(VERSIONS)).map((bundle) => {
      const { schema: _, policies, ...rest } = bundleDocument(bundle);
      return { ...rest, policies: Object.keys(policies) };
    });
    return { items, next: null };
  }

  @Describe({
    summary: 'Puts other policies in force. The right to that is an elevation.',
    answers: { 200: { schema: PolicyBundle, headers: ['ETag'] } },
    headers: ['If-Match!'],
    problems: ['policy.invalid', 'request.precondition_failed', 'request.precondition_required'],
  })
  @Put()
  @On('operator')
  @RequireOperator('policy:write')
  async change(
    @JsonBody(BundleBody) body: BundleBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Admitted() operator: OperatorAdmission,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const version = /^"(\d{1,9})"$/.exec(ifMatch ?? '')?.[1];
    if (version === undefined) {
      throw new DomainError('request.precondition_required', { detail: 'If-Match: the ETag of the policies you saw' });
    }
    const bundle = await this.service.change(body, Number(version), operator.subject, new Date());
    reply.header('etag', `"${bundle.version}"`);
    return bundleDocument(bundle);
  }

  @Describe({
    summary: 'Tries policies out on what was decided lately, without putting them in force.',
    answers: { 200: PolicyDryRun },
    problems: ['policy.invalid', 'policy.unavailable'],
  })
  @Post('dry-run')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('policy:read')
  dryRun(@JsonBody(DryRunBody) body: DryRunBody) {
    return this.service.tryOut(body, new Date());
  }
}
