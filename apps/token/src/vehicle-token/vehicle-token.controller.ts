import { Controller, Header, HttpCode, Post, Req, Res, UseFilters } from '@nestjs/common';
import { AdmitCertificate, Admitted, type CertificateAdmission } from '@outrider/platform/admission';
import { On, peerOf } from '@outrider/platform/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
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
