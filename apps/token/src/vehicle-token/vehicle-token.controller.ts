import { Controller, Header, HttpCode, Post, Req, Res, UseFilters } from '@nestjs/common';
import { AdmitCertificate, Admitted, type CertificateAdmission } from '@outrider/platform/admission';
import { On, peerOf } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AccessToken, FORM_TYPES, TokenRequest } from '../oauth/oauth-answers.js';
import { OAuthErrorFilter } from '../oauth/oauth-error.filter.js';
import type { TokenAnswer } from '../oauth/token-answer.js';
import { tokenForm } from '../oauth/token-form.provider.js';
import { TokenProofs } from './token-proofs.service.js';
import { VehicleTokenService } from './vehicle-token.service.js';

@Controller('oauth2')
@UseFilters(OAuthErrorFilter)
export class VehicleTokenController {
  constructor(
    private readonly tokens: VehicleTokenService,
    private readonly proofs: TokenProofs,
  ) {}

  @Describe({
    summary: 'A token for the vehicle whose certificate the connection has (RFC 8705), or for its DPoP key (RFC 9449).',
    answers: { 200: { schema: AccessToken, headers: ['Cache-Control', 'DPoP-Nonce'] } },
    headers: ['DPoP'],
    refusals: 'oauth',
    body: { schema: TokenRequest, types: FORM_TYPES },
    problems: [
      'auth.dpop_invalid',
      'auth.dpop_nonce',
      'auth.dpop_replayed',
      'denylist.certificate',
      'denylist.device',
      'denylist.key',
      'denylist.network',
      'denylist.token',
      'policy.denied',
      'policy.invalid',
      'policy.unavailable',
      'revocation.stale',
      'service.upstream_invalid',
      'service.upstream_unavailable',
      'tls.certificate_expired',
      'tls.certificate_invalid',
      'token.invalid_client',
      'token.invalid_dpop_proof',
      'token.invalid_grant',
      'token.invalid_request',
      'token.invalid_scope',
      'token.invalid_target',
      'token.unauthorized_client',
      'token.unsupported_grant_type',
      'token.use_dpop_nonce',
    ],
  })
  @Post('token')
  @On('vehicle')
  @AdmitCertificate({ recovery: true })
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Header('pragma', 'no-cache')
  issue(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Admitted() { certificate, recovery }: CertificateAdmission,
  ): Promise<TokenAnswer> {
    const { remoteAddress, via } = peerOf(request.raw);
    const form = tokenForm(request);
    const proof = this.proofs.read(request, reply);
    return this.tokens.issue(form, certificate, { remoteAddress, proof, forwarded: via !== undefined, recovery });
  }
}
