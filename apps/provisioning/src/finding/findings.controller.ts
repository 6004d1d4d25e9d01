import { Controller, Get } from '@nestjs/common';
import { RequireOperator } from '@outrider/platform/admission';
import { On, QueryParams } from '@outrider/platform/http';
import { FindingQuery, findingPage } from './finding.js';
import { FindingLog } from './findings.repository.js';

const DEFAULT_LIMIT = 100;

@Controller('/v1/findings')
export class FindingsController {
  constructor(private readonly log: FindingLog) {}

  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list(@QueryParams(FindingQuery) query: FindingQuery) {
    const limit = query.limit ?? DEFAULT_LIMIT;
    return findingPage(await this.log.find(query, limit + 1), limit);
  }
}
