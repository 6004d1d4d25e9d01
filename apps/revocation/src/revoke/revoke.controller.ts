import { Controller, HttpCode, Post } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, QueryParams } from '@outrider/platform/http';
import type { z } from 'zod';
import { type RevokeAnswer, RevokeService } from './revoke.service.js';
import { RevokeBody, RevokeQuery } from './revoke-request.js';

@Controller()
export class RevokeController {
  constructor(private readonly service: RevokeService) {}

  @Post('/revoke')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('ca:revoke')
  revoke(
    @JsonBody(RevokeBody, { alsoAsForm: true }) body: RevokeBody,
    @QueryParams(RevokeQuery) query: z.infer<typeof RevokeQuery>,
    @Admitted() operator: OperatorAdmission,
  ): Promise<RevokeAnswer> {
    return this.service.revoke(body, query.wait, operator, new Date());
  }
}
