import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { DeviceId } from '@outrider/ids';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { z } from 'zod';
import { DeviceEpoch, EpochOpened, EpochsOpened, HeldEpochPage } from './epoch-answers.js';
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

  @Describe({
    summary: 'The epoch of a device: what was ordered, and what looked like a rollback.',
    answers: { 200: DeviceEpoch },
    problems: ['telemetry.unknown_device'],
  })
  @Get('/devices/:device/epoch')
  @On('operator')
  @RequireOperator('device:read')
  show(@PathParam('device', DeviceId) deviceId: DeviceId) {
    return this.epochs.show(deviceId);
  }

  @Describe({
    summary: 'Lets a device go on in a new epoch.',
    answers: { 200: EpochOpened },
    problems: ['telemetry.unknown_device'],
  })
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

  @Describe({
    summary: 'Devices whose epoch is held, by id.',
    answers: { 200: HeldEpochPage },
  })
  @Get('/epochs/held')
  @On('operator')
  @RequireOperator('device:read')
  held(@QueryParams(HeldQuery) { after, limit }: HeldQuery) {
    return this.epochs.held(after, limit);
  }

  @Describe({
    summary: 'Lets all held devices, or those that are named, go on in a new epoch.',
    answers: { 200: EpochsOpened },
  })
  @Post('/epochs')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('device:write')
  openAll(@JsonBody(OpenEpochsBody) body: OpenEpochsBody, @Admitted() { subject }: OperatorAdmission) {
    return this.epochs.openAll(body, subject);
  }
}
