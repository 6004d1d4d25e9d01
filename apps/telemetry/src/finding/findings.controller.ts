import { Controller, Get } from '@nestjs/common';
import { DeviceId } from '@outrider/ids';
import { RequireOperator } from '@outrider/platform/admission';
import { On, PathParam } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { TelemetryFindingList } from './finding-answers.js';
import { FindingLog } from './finding-log.service.js';

@Controller('/v1')
export class FindingsController {
  constructor(private readonly findings: FindingLog) {}

  @Describe({
    summary: 'What looked wrong in a device’s telemetry.',
    answers: { 200: TelemetryFindingList },
  })
  @Get('/devices/:device/telemetry/findings')
  @On('operator')
  @RequireOperator('device:read')
  list(@PathParam('device', DeviceId) deviceId: DeviceId) {
    return this.findings.list(deviceId);
  }
}
