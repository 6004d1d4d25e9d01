import { Controller, Get } from '@nestjs/common';
import { DeviceId } from '@outrider/ids';
import { RequireOperator } from '@outrider/platform/admission';
import { On, PathParam } from '@outrider/platform/http';
import { FindingLog } from './finding-log.service.js';

@Controller('/v1')
export class FindingsController {
  constructor(private readonly findings: FindingLog) {}

  @Get('/devices/:device/telemetry/findings')
  @On('operator')
  @RequireOperator('device:read')
  list(@PathParam('device', DeviceId) deviceId: DeviceId) {
    return this.findings.list(deviceId);
  }
}
