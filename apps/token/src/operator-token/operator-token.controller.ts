import { Controller, Header, HttpCode, Post, Req, UseFilters } from '@nestjs/common';
import { AdmitAnyone } from '@outrider/platform/admission';
import { On, peerOf } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyRequest } from 'fastify';
import { AccessToken, FORM_TYPES, TokenRequest } from '../oauth/oauth-answers.js';
import { OAuthErrorFilter } from '../oauth/oauth-error.filter.js';
import type { TokenAnswer } from '../oauth/token-answer.js';
import { tokenForm } from '../oauth/token-form.provider.js';
import { OperatorTokenService } from './operator-token.service.js';

@Controller('oauth2')
@UseFilters(OAuthErrorFilter)
export class OperatorTokenController {
  constructor(private readonly tokens: OperatorTokenService) {}

  /** The assertion in the form is the authentication. */
  @Describe({
    summary: 'A token for an operator’s account, by a signed assertion (RFC 7523).',
    answers: { 200: { schema: AccessToken, headers: ['Cache-Control'] } },
    refusals: 'oauth',
    body: { schema: TokenRequest, types: FORM_TYPES },
    problems: [
      'token.invalid_client',
      'token.invalid_request',
      'token.invalid_scope',
      'token.invalid_target',
      'token.unsupported_grant_type',
    ],
  })
  @Post('token')
  @On('operator')
  @AdmitAnyone()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Header('pragma', 'no-cache')
  issue(@Req() request: FastifyRequest): Promise<TokenAnswer> {
    return this.tokens.issue(tokenForm(request), peerOf(request.raw).remoteAddress);
  }
}
