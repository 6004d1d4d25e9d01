import { Controller, Get, Post, Req, Res, UseFilters } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { AdmitAnyone } from '@outrider/platform/admission';
import { bodyBytes, mediaType, On, peerOf } from '@outrider/platform/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Enrolment } from './enrolment.service.js';
import { EstFilter } from './est.filter.js';
import { encodeCertificates } from './est-message.js';
import { FleetTrust } from './fleet-trust.store.js';

/** Enrolment over Secure Transport (RFC 7030). The routes admit anyone at TLS: whose certificate serves here, `EstClients` says. */
@Controller('/.well-known/est')
@UseFilters(EstFilter)
export class EstController {
  constructor(
    private readonly enrolment: Enrolment,
    private readonly trust: FleetTrust,
  ) {}

  @Get('cacerts')
  @On('vehicle')
  @AdmitAnyone()
  cacerts(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    answer(
      request,
      reply,
      this.trust.cacerts().map(({ der }) => der),
    );
  }

  @Post('simpleenroll')
  @On('vehicle')
  @AdmitAnyone()
  async simpleEnroll(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    answer(request, reply, [await this.enrolment.enrol(peerOf(request.raw), requestBody(request))]);
  }

  @Post('simplereenroll')
  @On('vehicle')
  @AdmitAnyone()
  async simpleReenroll(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    answer(request, reply, [await this.enrolment.reEnrol(peerOf(request.raw), requestBody(request))]);
  }
}

function requestBody(request: FastifyRequest): Uint8Array {
  if (mediaType(request) === 'application/pkcs10') return bodyBytes(request);
  throw new DomainError('request.unsupported_media_type', { detail: 'send application/pkcs10' });
}

function answer(request: FastifyRequest, reply: FastifyReply, certificates: readonly Uint8Array[]): void {
  void reply
    .status(200)
    .header('content-type', 'application/pkcs7-mime; smime-type=certs-only')
    .header('content-transfer-encoding', 'base64')
    .send(Buffer.from(encodeCertificates(certificates, request.headers['user-agent'])));
}
