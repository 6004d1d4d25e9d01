import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { AdmitAnyone } from '@outrider/platform/admission';
import { On, peerOf } from '@outrider/platform/http';
import { CONFIG } from '@outrider/platform/service';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config.js';
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
