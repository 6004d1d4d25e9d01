import { Controller, Header, HttpCode, Post, Req, UseFilters } from '@nestjs/common';
import { AdmitAnyone } from '@outrider/platform/admission';
import { On, peerOf } from '@outrider/platform/http';
import type { FastifyRequest } from 'fastify';
import { OAuthErrorFilter } from '../oauth/oauth-error.filter.js';
import type { TokenAnswer } from '../oauth/token-answer.js';
import { tokenForm } from '../oauth/token-form.provider.js';
import { OperatorTokenService } from './operator-token.service.js';

@Controller('oauth2')
@UseFilters(OAuthErrorFilter)
export class OperatorTokenController {
  constructor(private readonly tokens: OperatorTokenService) {}

  /** The assertion in the form is the authentication. */
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
