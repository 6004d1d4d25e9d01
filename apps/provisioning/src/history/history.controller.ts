import { Controller, Get } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { DeviceId } from '@outrider/ids';
import { RequireOperator } from '@outrider/platform/admission';
import { On, PathParam, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { Devices } from '../device/devices.repository.js';
import { HistoryQuery, historyPage } from './history.js';
import { History } from './history.repository.js';
import { DeviceHistoryPage } from './history-answers.js';

@Controller('/v1/devices')
export class HistoryController {
  constructor(
    private readonly devices: Devices,
    private readonly history: History,
  ) {}

  @Describe({
    summary: 'The life of a device, the newest first.',
    answers: { 200: DeviceHistoryPage },
    problems: ['provisioning.device_not_found'],
  })
  @Get(':id/history')
  @On('operator')
  @RequireOperator('device:read')
  async ofDevice(@PathParam('id', DeviceId) deviceId: DeviceId, @QueryParams(HistoryQuery) query: HistoryQuery) {
    if (!(await this.devices.find(deviceId)))
      throw new DomainError('provisioning.device_not_found', { detail: deviceId });
    return historyPage(await this.history.ofDevice(deviceId, query), query.limit);
  }
}
