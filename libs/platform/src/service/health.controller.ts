import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { AdmitAnyone } from '../admission/decorators.provider.js';
import { On } from '../http/on.provider.js';
import { Metrics } from './metrics.service.js';
import { Readiness } from './readiness.service.js';

@Controller()
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    private readonly metrics: Metrics,
  ) {}

  @Get('/livez')
  @On('http')
  @AdmitAnyone()
  live(): { status: 'alive' } {
    return { status: 'alive' };
  }

  @Get('/readyz')
  @On('http')
  @AdmitAnyone()
  async ready(@Res() reply: FastifyReply): Promise<void> {
    const report = await this.readiness.report();
    await reply.status(report.status === 'ready' || report.status === 'degraded' ? 200 : 503).send(report);
  }

  @Get('/metrics')
  @On('http')
  @AdmitAnyone()
  async scrape(@Res() reply: FastifyReply): Promise<void> {
    await reply.type(this.metrics.registry.contentType).send(await this.metrics.registry.metrics());
  }
}
