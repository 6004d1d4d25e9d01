import { Controller, Get } from '@nestjs/common';
import { StreamName } from '@outrider/ids';
import { AdmitToken, Admitted, type VehicleAdmission } from '@outrider/platform/admission';
import { On, QueryParams } from '@outrider/platform/http';
import { z } from 'zod';
import { WindowService } from './window.service.js';

const WindowQuery = z.strictObject({ stream: StreamName.optional() });
type WindowQuery = z.output<typeof WindowQuery>;

@Controller('/v1/telemetry/window')
export class WindowController {
  constructor(private readonly windows: WindowService) {}

  @Get()
  @On('vehicle')
  @AdmitToken({ scopes: ['telemetry:write'] })
  async read(@Admitted() { deviceId }: VehicleAdmission, @QueryParams(WindowQuery) { stream }: WindowQuery) {
    return { windows: await this.windows.read(deviceId, stream) };
  }
}
