import { Controller, Header, HttpCode, Post, Req, UseFilters } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { AdmitAnyone, AdmitCertificate, Admitted, type CertificateAdmission } from '@outrider/platform/admission';
import { On } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyRequest } from 'fastify';
import { FORM_TYPES, TokenIntrospection, TokenQuestion } from '../oauth/oauth-answers.js';
import { OAuthErrorFilter } from '../oauth/oauth-error.filter.js';
import { tokenForm } from '../oauth/token-form.provider.js';
import { OperatorClients } from '../operator-client/operator-clients.service.js';
import { carries } from '../operator-token/roles.js';
import type { Introspection } from './introspect.js';
import { TokenStatus } from './token-status.service.js';

/** Introspection (RFC 7662) and revocation (RFC 7009). On the operator listener the assertion in the form is the authentication. */
@Controller('oauth2')
@UseFilters(OAuthErrorFilter)
export class TokenStatusController {
  constructor(
    private readonly tokens: TokenStatus,
    private readonly clients: OperatorClients,
  ) {}

  @Describe({
    summary: 'What a token is worth (RFC 7662).',
    answers: { 200: TokenIntrospection },
    refusals: 'oauth',
    body: { schema: TokenQuestion, types: FORM_TYPES },
    problems: [
      'auth.token_expired',
      'auth.token_invalid',
      'revocation.stale',
      'token.invalid_client',
      'token.invalid_request',
      'token.unauthorized_client',
    ],
  })
  @Post('introspect')
  @On('operator')
  @AdmitAnyone()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  async introspect(@Req() request: FastifyRequest): Promise<Introspection> {
    const form = tokenForm(request);
    const { roles } = await this.clients.authenticate(form, new Date());
    if (!carries(roles, 'token:introspect')) {
      throw new DomainError('token.unauthorized_client', { detail: 'no role of the account may introspect' });
    }
    return this.tokens.introspect(form, new Date());
  }

  @Describe({
    summary: 'Ends a token (RFC 7009).',
    answers: { 200: null },
    refusals: 'oauth',
    body: { schema: TokenQuestion, types: FORM_TYPES },
    problems: [
      'auth.token_expired',
      'auth.token_invalid',
      'service.upstream_invalid',
      'service.upstream_unavailable',
      'token.invalid_client',
      'token.invalid_request',
      'token.unauthorized_client',
    ],
  })
  @Post('revoke')
  @On('operator')
  @AdmitAnyone()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  async revokeByOperator(@Req() request: FastifyRequest): Promise<void> {
    const form = tokenForm(request);
    const { clientId } = await this.clients.authenticate(form, new Date());
    await this.tokens.revoke(form, clientId, new Date());
  }

  @Describe({
    summary: 'Ends a token of the vehicle’s own (RFC 7009).',
    answers: { 200: null },
    refusals: 'oauth',
    body: { schema: TokenQuestion, types: FORM_TYPES },
    problems: [
      'auth.token_expired',
      'auth.token_invalid',
      'service.upstream_invalid',
      'service.upstream_unavailable',
      'tls.certificate_expired',
      'tls.certificate_invalid',
      'token.invalid_client',
      'token.invalid_request',
      'token.unauthorized_client',
    ],
  })
  @Post('revoke')
  @On('vehicle')
  @AdmitCertificate()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  async revokeByVehicle(
    @Req() request: FastifyRequest,
    @Admitted() { certificate }: CertificateAdmission,
  ): Promise<void> {
    await this.tokens.revokeByVehicle(tokenForm(request), certificate, new Date());
  }
}
