import { Controller, Get } from '@nestjs/common';
import { RequireOperator } from '@outrider/platform/admission';
import { On, QueryParams } from '@outrider/platform/http';
import { ListQuery } from './list-query.js';
import { RevocationList } from './revocation-list.repository.js';

@Controller('/v1/revocations')
export class RevocationsController {
  constructor(private readonly revocations: RevocationList) {}

  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list(@QueryParams(ListQuery) query: ListQuery) {
    const found = await this.revocations.page(query);
    const last = found.at(-1);
    return {
      items: found.map(({ id: _, ...one }) =>
        Object.fromEntries(Object.entries(one).filter(([, value]) => value !== null)),
      ),
      ...(last && found.length === query.limit ? { next: last.id } : {}),
    };
  }
}
