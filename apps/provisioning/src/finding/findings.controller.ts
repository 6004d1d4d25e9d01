import { Controller, Get } from '@nestjs/common';
import { RequireOperator } from '@outrider/platform/admission';
import { On, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { FindingQuery, findingPage } from './finding.js';
import { IdentityFindingPage } from './finding-answers.js';
import { FindingLog } from './findings.repository.js';

const DEFAULT_LIMIT = 100;

@Controller('/v1/findings')
export class FindingsController {
  constructor(private readonly log: FindingLog) {}

  @Describe({
    summary: 'What looks like a copied or stolen identity, the newest first.',
    answers: { 200: IdentityFindingPage },
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list(@QueryParams(FindingQuery) query: FindingQuery) {
    const limit = query.limit ?? DEFAULT_LIMIT;
    return findingPage(await this.log.find(query, limit + 1), limit);
  }
}
