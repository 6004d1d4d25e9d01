import { Controller, HttpCode, Post } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { z } from 'zod';
import { Released } from '../revoke/revoke-answers.js';
import { ReleaseBody, RevokeQuery } from '../revoke/revoke-request.js';
import { type ReleaseAnswer, ReleaseService } from './release.service.js';

@Controller()
export class ReleaseController {
  constructor(private readonly service: ReleaseService) {}

  @Describe({
    summary: 'Takes a hold back (certificateHold).',
    answers: { 200: Released },
    problems: [
      'policy.denied',
      'policy.invalid',
      'policy.unavailable',
      'provisioning.device_not_found',
      'revocation.certificate_unknown',
      'revocation.elevation_required',
      'revocation.not_held',
      'revocation.target_conflict',
      'revocation.target_missing',
      'service.upstream_invalid',
      'service.upstream_unavailable',
    ],
  })
  @Post('/v1/revocations/release')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('ca:revoke')
  release(
    @JsonBody(ReleaseBody, { alsoAsForm: true }) body: ReleaseBody,
    @QueryParams(RevokeQuery) query: z.infer<typeof RevokeQuery>,
    @Admitted() operator: OperatorAdmission,
  ): Promise<ReleaseAnswer> {
    return this.service.release(body, query.wait, operator, new Date());
  }
}
