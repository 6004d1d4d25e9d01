import { Controller, Header, HttpCode, Post, Req, UseFilters } from '@nestjs/common';
import { AdmitCertificate, Admitted, type CertificateAdmission } from '@outrider/platform/admission';
import { On, peerOf } from '@outrider/platform/http';
import type { FastifyRequest } from 'fastify';
import { OAuthErrorFilter } from '../oauth/oauth-error.filter.js';
import type { TokenAnswer } from '../oauth/token-answer.js';
import { tokenForm } from '../oauth/token-form.provider.js';
import { VehicleTokenService } from './vehicle-token.service.js';

@Controller('oauth2')
@UseFilters(OAuthErrorFilter)
export class VehicleTokenController {
  constructor(private readonly tokens: VehicleTokenService) {}

  @Post('token')
  @On('vehicle')
  @AdmitCertificate()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Header('pragma', 'no-cache')
  issue(@Req() request: FastifyRequest, @Admitted() { certificate }: CertificateAdmission): Promise<TokenAnswer> {
    return this.tokens.issue(tokenForm(request), certificate, peerOf(request.raw).remoteAddress);
  }
}
