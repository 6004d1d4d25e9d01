import { Controller, Get } from '@nestjs/common';
import { RequireOperator } from '@outrider/platform/admission';
import { On, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { Revocation } from './list-answers.js';
import { RevocationPage } from './list-answers.js';
import { ListQuery } from './list-query.js';
import { type ListedRevocation, RevocationList } from './revocation-list.repository.js';

@Controller('/v1/revocations')
export class RevocationsController {
  constructor(private readonly revocations: RevocationList) {}

  @Describe({
    summary: 'Every revocation, the newest first.',
    answers: { 200: RevocationPage },
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list(@QueryParams(ListQuery) query: ListQuery) {
    const found = await this.revocations.page(query);
    const last = found.at(-1);
    return {
      items: found.map(({ id: _, ...one }) => withoutNulls(one)),
      next: last && found.length === query.limit ? last.id : null,
    };
  }
}

function withoutNulls(row: Omit<ListedRevocation, 'id'>): Revocation {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as unknown as Revocation;
}
