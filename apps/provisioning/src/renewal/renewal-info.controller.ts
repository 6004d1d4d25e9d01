import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { AdmitAnyone } from '@outrider/platform/admission';
import { On, peerOf } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { CONFIG } from '@outrider/platform/service';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Config } from '../config.js';
import { RenewalWindow } from './renewal-answers.js';
import { RenewalInfo } from './renewal-info.service.js';
import { pollAfterSeconds } from './renewal-window.js';

interface Path {
  readonly label?: string;
  readonly id: string;
}

/** draft-ietf-lamps-est-renewal-info: JSON, not base64 (RFC 8951 §3 leaves that to the operations of RFC 7030). */
@Controller('/.well-known/est')
export class RenewalInfoController {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly info: RenewalInfo,
  ) {}

  @Describe({
    summary: 'When the certificate had better be renewed.',
    answers: { 200: { schema: RenewalWindow, headers: ['Retry-After', 'Cache-Control'] } },
    refusals: 'text',
    path: { label: z.string(), id: z.string() },
    problems: [
      'denylist.certificate',
      'denylist.device',
      'denylist.key',
      'denylist.network',
      'denylist.token',
      'est.certificate_id_malformed',
      'est.certificate_refused',
      'est.certificate_required',
      'est.certificate_unknown',
      'est.device_unknown',
      'est.label_unknown',
      'est.manufacturer_unknown',
      'provisioning.device_not_found',
      'tls.certificate_expired',
    ],
  })
  @Get(['renewal-info/:id', ':label/renewal-info/:id'])
  @On('vehicle')
  @AdmitAnyone()
  async show(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { label, id } = request.params as Path;
    const { start, end } = await this.info.window(peerOf(request.raw), label, id, new Date());
    const suggestedWindow = { start: instant(start), end: instant(end) };
    const body = Buffer.from(JSON.stringify({ suggestedWindow }));
    void reply
      .header('content-type', 'application/json')
      .header('cache-control', 'no-store')
      .header('retry-after', pollAfterSeconds(this.config.renewalInfo.pollSeconds, Math.random()))
      .send(body);
  }
}

/** RFC 3339, to the second. */
function instant(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
