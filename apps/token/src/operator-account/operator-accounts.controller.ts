import { Controller, Get, Patch, Post } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam, QueryParams } from '@outrider/platform/http';
import { z } from 'zod';
import { AccountBody, AccountPatch, AccountQuery, accountCursor, accountDocument } from './operator-account.js';
import { OperatorAccounts } from './operator-accounts.repository.js';
import { OperatorAccountService } from './operator-accounts.service.js';

/** `op:<uuid>`, as tokens name it, or the uuid alone. */
const Id = z
  .string()
  .transform((text) => text.replace(/^op:/, ''))
  .pipe(z.uuid());

@Controller('v1/operators')
export class OperatorAccountsController {
  constructor(
    private readonly service: OperatorAccountService,
    private readonly accounts: OperatorAccounts,
  ) {}

  @Get()
  @On('operator')
  @RequireOperator('operator:read')
  async list(@QueryParams(AccountQuery) query: AccountQuery) {
    const found = await this.accounts.page(query);
    const shown = found.slice(0, query.limit);
    const last = shown.at(-1);
    return {
      items: shown.map(accountDocument),
      next: found.length > shown.length && last ? accountCursor(last) : null,
    };
  }

  @Get(':id')
  @On('operator')
  @RequireOperator('operator:read')
  async show(@PathParam('id', Id) id: string) {
    return accountDocument(await this.accounts.mustFind(id));
  }

  @Post()
  @On('operator')
  @RequireOperator('operator:write')
  async make(@JsonBody(AccountBody) body: AccountBody, @Admitted() { subject }: OperatorAdmission) {
    return accountDocument(await this.service.make(subject, body, new Date()));
  }

  @Patch(':id')
  @On('operator')
  @RequireOperator('operator:write')
  async change(
    @PathParam('id', Id) id: string,
    @JsonBody(AccountPatch) patch: AccountPatch,
    @Admitted() { subject }: OperatorAdmission,
  ) {
    return accountDocument(await this.service.change(subject, id, patch, new Date()));
  }
}
