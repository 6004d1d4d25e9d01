import { Controller, HttpCode, Post } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, QueryParams } from '@outrider/platform/http';
import type { z } from 'zod';
import { ReleaseBody, RevokeQuery } from '../revoke/revoke-request.js';
import { type ReleaseAnswer, ReleaseService } from './release.service.js';

@Controller()
export class ReleaseController {
  constructor(private readonly service: ReleaseService) {}

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
