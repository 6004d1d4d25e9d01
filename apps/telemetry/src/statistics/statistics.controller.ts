import { Controller, Get } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { DeviceId } from '@outrider/ids';
import { RequireOperator } from '@outrider/platform/admission';
import { On, PathParam, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { z } from 'zod';
import { RangeQuery, timeRange } from '../reading/range.js';
import { describeTraffic } from './statistics.js';
import { StatisticsRepository } from './statistics.repository.js';
import { TelemetryStatistics } from './statistics-answers.js';

const StatisticsQuery = z.strictObject(RangeQuery);
type StatisticsQuery = z.output<typeof StatisticsQuery>;
const DAY_MS = 86_400_000;
const MAX_DAYS = 31;

@Controller('/v1/devices/:device/telemetry/statistics')
export class StatisticsController {
  constructor(private readonly statistics: StatisticsRepository) {}

  /** Of the last day, unless a range says otherwise. */
  @Describe({
    summary: 'A device’s traffic in figures; of the last day unless a range says otherwise.',
    answers: { 200: TelemetryStatistics },
    problems: ['telemetry.range_too_large'],
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async read(
    @PathParam('device', DeviceId) device: DeviceId,
    @QueryParams(StatisticsQuery) query: StatisticsQuery,
  ): Promise<ReturnType<typeof describeTraffic>> {
    const asked = timeRange(query);
    const to = asked.to ?? new Date();
    const from = asked.from ?? new Date(to.getTime() - DAY_MS);
    if (to.getTime() - from.getTime() > MAX_DAYS * DAY_MS) {
      throw new DomainError('telemetry.range_too_large', { detail: `${MAX_DAYS} days at most` });
    }
    timeRange({ from: from.toISOString(), to: to.toISOString() });
    const aggregates = await this.statistics.aggregate(device, from, to);
    return describeTraffic(device, { from, to }, aggregates, await this.statistics.verdicts(device, from, to));
  }
}
