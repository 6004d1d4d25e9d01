import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { AdmitAnyone } from '../admission/decorators.provider.js';
import { On } from '../http/on.provider.js';
import { Describe } from '../openapi/describe.provider.js';
import { Alive, Ready } from './health-answers.js';
import { Metrics } from './metrics.service.js';
import { Readiness } from './readiness.service.js';

@Controller()
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    private readonly metrics: Metrics,
  ) {}

  @Describe({ summary: 'Whether the process is there.', answers: { 200: Alive } })
  @Get('/livez')
  @On('http')
  @AdmitAnyone()
  live(): { status: 'alive' } {
    return { status: 'alive' };
  }

  @Describe({
    summary: 'Whether it can serve, and what it needs for that.',
    answers: { 200: Ready, 503: Ready },
  })
  @Get('/readyz')
  @On('http')
  @AdmitAnyone()
  async ready(@Res() reply: FastifyReply): Promise<void> {
    const report = await this.readiness.report();
    await reply.status(report.status === 'ready' || report.status === 'degraded' ? 200 : 503).send(report);
  }

  @Describe({ summary: 'For Prometheus.', answers: { 200: { types: ['text/plain'] } } })
  @Get('/metrics')
  @On('http')
  @AdmitAnyone()
  async scrape(@Res() reply: FastifyReply): Promise<void> {
    await reply.type(this.metrics.registry.contentType).send(await this.metrics.registry.metrics());
  }
}
