import { Controller, Get, Inject, Post, Req, Res } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { AdmitAnyone } from '@outrider/platform/admission';
import { bodyBytes, channelBindingOf, mediaType, On, peerOf } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { CONFIG } from '@outrider/platform/service';
import type { ParsedCertificationRequest } from '@outrider/x509';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Config } from '../config.js';
import { Enrolment } from '../enrolment/enrolment.service.js';
import { findLabel, type Label } from '../label/label.js';
import { checkChannelBinding } from './channel-binding.js';
import { EstAnswers } from './est-answers.service.js';
import { readRequest, readUnprovenRequest } from './est-message.js';
import { FleetTrust } from './fleet-trust.store.js';
import { type MadeKey, ServerKeys } from './server-key.service.js';
import { wantedAttributes } from './wanted-attributes.js';

/**
 * Enrolment over Secure Transport (RFC 7030), each operation with a label or without. The routes admit anyone at TLS: whose certificate
 * serves here, the enrolment says; and so it calls for the request, once it knows who asks.
 */
@Controller('/.well-known/est')
export class EstController {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly enrolment: Enrolment,
    private readonly trust: FleetTrust,
    private readonly answers: EstAnswers,
    private readonly keys: ServerKeys,
  ) {}

  @Describe({
    summary: 'The certificates that vehicles trust (RFC 7030 §4.1).',
    answers: { 200: { types: ['application/pkcs7-mime'] } },
    refusals: 'text',
    path: { label: z.string() },
    problems: ['est.label_unknown'],
  })
  @Get(['cacerts', ':label/cacerts'])
  @On('vehicle')
  @AdmitAnyone()
  cacerts(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    const certificates = this.trust.cacerts(this.labelOf(request).policy.authority);
    this.answers.certificates(
      request,
      reply,
      certificates.map(({ der }) => der),
    );
  }

  @Describe({
    summary: 'What a request must hold (RFC 7030 §4.5).',
    answers: { 200: { types: ['application/csrattrs'] }, 204: null },
    refusals: 'text',
    path: { label: z.string() },
    problems: ['est.label_unknown'],
  })
  @Get(['csrattrs', ':label/csrattrs'])
  @On('vehicle')
  @AdmitAnyone()
  csrAttributes(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.answers.csrAttributes(request, reply, wantedAttributes(this.labelOf(request).policy));
  }

  @Describe({
    summary: 'A first certificate against the factory’s (RFC 7030 §4.2.1).',
    answers: {
      200: { types: ['application/pkcs7-mime'] },
      202: {
        types: ['text/plain'],
        headers: ['Retry-After'],
        description: 'It awaits an approval: the same request again later.',
      },
    },
    refusals: 'text',
    path: { label: z.string() },
    body: { types: ['application/pkcs10'] },
    problems: [
      'denylist.certificate',
      'denylist.device',
      'denylist.key',
      'denylist.network',
      'denylist.token',
      'est.certificate_refused',
      'est.certificate_required',
      'est.channel_binding_required',
      'est.channel_binding_wrong',
      'est.csr_key_refused',
      'est.csr_malformed',
      'est.csr_signature_invalid',
      'est.device_unknown',
      'est.label_unknown',
      'est.manufacturer_unknown',
      'service.overloaded',
      'tls.certificate_expired',
    ],
  })
  @Post(['simpleenroll', ':label/simpleenroll'])
  @On('vehicle')
  @AdmitAnyone()
  async simpleEnroll(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const label = this.labelOf(request);
    const enrolled = await this.enrolment.enrol(peerOf(request.raw), label, () => proven(request, label));
    if (enrolled.kind === 'pending') this.answers.pending(reply, enrolled.retryAfterSeconds);
    else this.answers.certificates(request, reply, [enrolled.certificate]);
  }

  @Describe({
    summary: 'The next certificate (RFC 7030 §4.2.2).',
    answers: {
      200: { types: ['application/pkcs7-mime'] },
      202: {
        types: ['text/plain'],
        headers: ['Retry-After'],
        description: 'It awaits an approval: the same request again later.',
      },
    },
    refusals: 'text',
    path: { label: z.string() },
    body: { types: ['application/pkcs10'] },
    problems: [
      'denylist.certificate',
      'denylist.device',
      'denylist.key',
      'denylist.network',
      'denylist.token',
      'est.certificate_refused',
      'est.certificate_required',
      'est.channel_binding_required',
      'est.channel_binding_wrong',
      'est.csr_key_refused',
      'est.csr_malformed',
      'est.csr_signature_invalid',
      'est.device_unknown',
      'est.label_unknown',
      'est.manufacturer_unknown',
      'service.overloaded',
      'tls.certificate_expired',
    ],
  })
  @Post(['simplereenroll', ':label/simplereenroll'])
  @On('vehicle')
  @AdmitAnyone()
  async simpleReenroll(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const label = this.labelOf(request);
    const enrolled = await this.enrolment.reEnrol(peerOf(request.raw), label, () => proven(request, label));
    if (enrolled.kind === 'pending') this.answers.pending(reply, enrolled.retryAfterSeconds);
    else this.answers.certificates(request, reply, [enrolled.certificate]);
  }

  /** Decided as an enrolment or a renewal, by the certificate of the connection (RFC 7030 §4.4.1). */
  @Describe({
    summary: 'A certificate and a key that the server made (RFC 7030 §4.4).',
    answers: {
      200: { types: ['multipart/mixed'] },
      202: {
        types: ['text/plain'],
        headers: ['Retry-After'],
        description: 'It awaits an approval: the same request again later.',
      },
    },
    refusals: 'text',
    path: { label: z.string() },
    body: { types: ['application/pkcs10'] },
    problems: [
      'denylist.certificate',
      'denylist.device',
      'denylist.key',
      'denylist.network',
      'denylist.token',
      'est.certificate_refused',
      'est.certificate_required',
      'est.channel_binding_required',
      'est.channel_binding_wrong',
      'est.csr_key_refused',
      'est.csr_malformed',
      'est.csr_signature_invalid',
      'est.device_unknown',
      'est.key_encryption_unsupported',
      'est.label_unknown',
      'est.manufacturer_unknown',
      'est.server_key_generation_off',
      'service.overloaded',
      'tls.certificate_expired',
    ],
  })
  @Post(['serverkeygen', ':label/serverkeygen'])
  @On('vehicle')
  @AdmitAnyone()
  async serverKeyGeneration(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const label = this.labelOf(request);
    if (!label.policy.serverKeyGeneration) throw new DomainError('est.server_key_generation_off');
    let made: MadeKey | undefined;
    const make = () => {
      made = this.made(request, label);
      return made.request;
    };
    const enrolled = await this.enrolment.reEnrol(peerOf(request.raw), label, make, 'serverkeygen');
    if (enrolled.kind === 'pending') this.answers.pending(reply, enrolled.retryAfterSeconds);
    else this.answers.keyAndCertificate(request, reply, made!.pkcs8, enrolled.certificate);
  }

  private made(request: FastifyRequest, label: Label): MadeKey {
    const asked = readUnprovenRequest(requestBody(request));
    checkChannelBinding(asked.challengePassword, label.policy.channelBinding, () => channelBindingOf(request.raw));
    return this.keys.make(asked, label.policy);
  }

  private labelOf(request: FastifyRequest): Label {
    const { label: name } = request.params as { label?: string };
    const label = findLabel(this.config.labels, name);
    if (!label) throw new DomainError('est.label_unknown');
    return label;
  }
}

function proven(request: FastifyRequest, label: Label): ParsedCertificationRequest {
  const parsed = readRequest(requestBody(request));
  checkChannelBinding(parsed.challengePassword, label.policy.channelBinding, () => channelBindingOf(request.raw));
  return parsed;
}

function requestBody(request: FastifyRequest): Uint8Array {
  if (mediaType(request) === 'application/pkcs10') return bodyBytes(request);
  throw new DomainError('request.unsupported_media_type', { detail: 'send application/pkcs10' });
}
