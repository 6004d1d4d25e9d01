import { Controller, Get, Patch, Post } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { z } from 'zod';
import { OperatorAccount, OperatorAccountPage } from './account-answers.js';
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

  @Describe({
    summary: 'Operators’ accounts, by client id.',
    answers: { 200: OperatorAccountPage },
  })
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

  @Describe({
    summary: 'An account.',
    answers: { 200: OperatorAccount },
    problems: ['operator.not_found'],
  })
  @Get(':id')
  @On('operator')
  @RequireOperator('operator:read')
  async show(@PathParam('id', Id) id: string) {
    return accountDocument(await this.accounts.mustFind(id));
  }

  @Describe({
    summary: 'Makes an account with at most the rights that one has.',
    answers: { 201: OperatorAccount },
    problems: ['auth.role_insufficient', 'operator.exists', 'operator.own_account', 'operator.role_too_wide'],
  })
  @Post()
  @On('operator')
  @RequireOperator('operator:write')
  async make(@JsonBody(AccountBody) body: AccountBody, @Admitted() { subject }: OperatorAdmission) {
    return accountDocument(await this.service.make(subject, body, new Date()));
  }

  @Describe({
    summary: 'Changes an account: key, roles, in use or not.',
    answers: { 200: OperatorAccount },
    problems: [
      'auth.role_insufficient',
      'operator.not_found',
      'operator.own_account',
      'operator.person_has_no_key',
      'operator.role_too_wide',
      'service.upstream_invalid',
      'service.upstream_unavailable',
    ],
  })
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
