import { Controller, Get } from '@nestjs/common';
import { RequireOperator } from '@outrider/platform/admission';
import { On, QueryParams } from '@outrider/platform/http';
import { deviceDocument } from '../device/device.js';
import { DeviceSearch } from './device-search.js';
import { DeviceSearches } from './device-search.service.js';

@Controller('/v1/devices')
export class DeviceSearchController {
  constructor(private readonly searches: DeviceSearches) {}

  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list(@QueryParams(DeviceSearch) search: DeviceSearch) {
    const { items, next } = await this.searches.page(search, new Date());
    return { items: items.map(deviceDocument), next };
  }
}
