import { Controller, Get, Headers, Patch, Post, Res } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { documentTag, JsonBody, On, PathParam, parseIfMatch, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { OperatorAccount, OperatorAccountPage } from './account-answers.js';
import {
  type Account,
  AccountBody,
  AccountPatch,
  AccountQuery,
  accountCursor,
  accountDocument,
} from './operator-account.js';
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
    answers: { 200: { schema: OperatorAccount, headers: ['ETag'] } },
    problems: ['operator.not_found'],
  })
  @Get(':id')
  @On('operator')
  @RequireOperator('operator:read')
  async show(@PathParam('id', Id) id: string, @Res({ passthrough: true }) reply: FastifyReply) {
    return tagged(await this.accounts.mustFind(id), reply);
  }

  @Describe({
    summary: 'Makes an account with at most the rights that one has.',
    answers: { 201: { schema: OperatorAccount, headers: ['ETag'] } },
    problems: ['auth.role_insufficient', 'operator.exists', 'operator.own_account', 'operator.role_too_wide'],
  })
  @Post()
  @On('operator')
  @RequireOperator('operator:write')
  async make(
    @JsonBody(AccountBody) body: AccountBody,
    @Admitted() { subject }: OperatorAdmission,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(await this.service.make(subject, body, new Date()), reply);
  }

  @Describe({
    summary: 'Changes an account: key, roles, in use or not.',
    answers: { 200: { schema: OperatorAccount, headers: ['ETag'] } },
    headers: ['If-Match'],
    problems: [
      'auth.role_insufficient',
      'operator.not_found',
      'operator.own_account',
      'operator.person_has_no_key',
      'operator.role_too_wide',
      'request.precondition_failed',
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
    @Headers('if-match') ifMatch: string | undefined,
    @Admitted() { subject }: OperatorAdmission,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(await this.service.change(subject, id, patch, parseIfMatch(ifMatch), new Date()), reply);
  }
}

function tagged(account: Account, reply: FastifyReply) {
  const document = accountDocument(account);
  reply.header('etag', documentTag(document));
  return document;
}
