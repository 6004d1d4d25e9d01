import { Controller, Get } from '@nestjs/common';
import { RequireOperator } from '@outrider/platform/admission';
import { On, QueryParams } from '@outrider/platform/http';
import { DecisionQuery, decisionPage } from './decision-query.js';
import { DecisionLog } from './decisions.repository.js';

const DEFAULT_LIMIT = 100;

@Controller('v1/decisions')
export class DecisionsController {
  constructor(private readonly log: DecisionLog) {}

  @Get()
  @On('operator')
  @RequireOperator('evidence:read')
  async list(@QueryParams(DecisionQuery) query: DecisionQuery) {
    const limit = query.limit ?? DEFAULT_LIMIT;
    return decisionPage(await this.log.find(query, limit + 1), limit);
  }
}
