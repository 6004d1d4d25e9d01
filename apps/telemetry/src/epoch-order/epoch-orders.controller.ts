import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { DeviceId } from '@outrider/ids';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam, QueryParams } from '@outrider/platform/http';
import { z } from 'zod';
import { OpenEpochBody, OpenEpochsBody } from './epoch-order.js';
import { EpochOrders } from './epoch-orders.service.js';

const HeldQuery = z.strictObject({
  after: z.string().max(64).default(''),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});
type HeldQuery = z.output<typeof HeldQuery>;

@Controller('/v1')
export class EpochOrdersController {
  constructor(private readonly epochs: EpochOrders) {}

  @Get('/devices/:device/epoch')
  @On('operator')
  @RequireOperator('device:read')
  show(@PathParam('device', DeviceId) deviceId: DeviceId) {
    return this.epochs.show(deviceId);
  }

  @Post('/devices/:device/epoch')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('device:write')
  open(
    @PathParam('device', DeviceId) deviceId: DeviceId,
    @JsonBody(OpenEpochBody) { reason }: OpenEpochBody,
    @Admitted() { subject }: OperatorAdmission,
  ) {
    return this.epochs.open(deviceId, reason, subject);
  }

  @Get('/epochs/held')
  @On('operator')
  @RequireOperator('device:read')
  held(@QueryParams(HeldQuery) { after, limit }: HeldQuery) {
    return this.epochs.held(after, limit);
  }

  @Post('/epochs')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('device:write')
  openAll(@JsonBody(OpenEpochsBody) body: OpenEpochsBody, @Admitted() { subject }: OperatorAdmission) {
    return this.epochs.openAll(body, subject);
  }
}
