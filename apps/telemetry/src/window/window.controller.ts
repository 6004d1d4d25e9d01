import { Controller, Get, UseInterceptors } from '@nestjs/common';
import { StreamName } from '@outrider/ids';
import { AdmitToken, Admitted, type VehicleAdmission } from '@outrider/platform/admission';
import { On, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { z } from 'zod';
import { Limits } from '../limits/limits.service.js';
import { RateLimitFields } from '../limits/rate-limit.interceptor.js';
import { OrderWatch } from '../offline-log/order-watch.service.js';
import { WindowService } from './window.service.js';
import { WindowAnswer } from './window-answers.js';

const WindowQuery = z.strictObject({ stream: StreamName.optional() });
type WindowQuery = z.output<typeof WindowQuery>;

@Controller('/v1/telemetry/window')
@UseInterceptors(RateLimitFields)
export class WindowController {
  constructor(
    private readonly windows: WindowService,
    private readonly watch: OrderWatch,
    private readonly limits: Limits,
  ) {}

  @Describe({
    summary: 'Where the vehicle’s streams are: the highest number, and what is missing below it.',
    answers: { 200: { schema: WindowAnswer, headers: ['RateLimit'] } },
    headers: ['DPoP'],
    problems: ['request.too_many'],
  })
  @Get()
  @On('vehicle')
  @AdmitToken({ scopes: ['telemetry:write'] })
  async read(@Admitted() { deviceId }: VehicleAdmission, @QueryParams(WindowQuery) { stream }: WindowQuery) {
    this.limits.take(deviceId, 1);
    const windows = await this.windows.read(deviceId, stream);
    const orders = await this.watch.afterReconnect(deviceId, windows);
    return { windows, ...(orders.length > 0 ? { orders } : {}) };
  }
}
