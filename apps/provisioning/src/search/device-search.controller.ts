import { Controller, Get } from '@nestjs/common';
import { RequireOperator } from '@outrider/platform/admission';
import { On, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { deviceDocument } from '../device/device.js';
import { DevicePage } from '../device/device-answers.js';
import { DeviceSearch } from './device-search.js';
import { DeviceSearches } from './device-search.service.js';

@Controller('/v1/devices')
export class DeviceSearchController {
  constructor(private readonly searches: DeviceSearches) {}

  @Describe({
    summary: 'Devices by state, label, manufacturer, certificate and more.',
    answers: { 200: DevicePage },
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list(@QueryParams(DeviceSearch) search: DeviceSearch) {
    const { items, next } = await this.searches.page(search, new Date());
    return { items: items.map(deviceDocument), next };
  }
}
