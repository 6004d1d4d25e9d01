import { Controller, Get, HttpCode, Post, UseInterceptors } from '@nestjs/common';
import { DeviceId } from '@outrider/ids';
import {
  AdmitToken,
  Admitted,
  type OperatorAdmission,
  RequireOperator,
  type VehicleAdmission,
} from '@outrider/platform/admission';
import { JsonBody, On, PathParam } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { Limits } from '../limits/limits.service.js';
import { RateLimitFields } from '../limits/rate-limit.interceptor.js';
import { HeldRequest, OrderId, OrderRequest } from './fetch-order.js';
import { FetchOrder, FetchOrderList, OpenFetchOrders } from './fetch-order-answers.js';
import { FetchOrders } from './fetch-orders.service.js';

const SCOPES = ['telemetry:write', 'telemetry:backfill'];

@Controller('/v1')
@UseInterceptors(RateLimitFields)
export class FetchOrdersController {
  constructor(
    private readonly orders: FetchOrders,
    private readonly limits: Limits,
  ) {}

  @Describe({
    summary: 'The logs that this vehicle is asked for.',
    answers: { 200: { schema: OpenFetchOrders, headers: ['RateLimit'] } },
    headers: ['DPoP'],
    problems: ['request.too_many'],
  })
  @Get('/telemetry/fetch-orders')
  @On('vehicle')
  @AdmitToken({ scopes: SCOPES, recovery: true })
  async open(@Admitted() { deviceId }: VehicleAdmission) {
    this.limits.take(deviceId, 1);
    return { orders: await this.orders.open(deviceId) };
  }

  @Describe({
    summary: 'Says what logs the vehicle holds; answered by what is wanted of them.',
    answers: { 200: { schema: OpenFetchOrders, headers: ['RateLimit'] } },
    headers: ['DPoP'],
    problems: ['request.too_many'],
  })
  @Post('/telemetry/fetch-orders')
  @HttpCode(200)
  @On('vehicle')
  @AdmitToken({ scopes: SCOPES, recovery: true })
  async held(@Admitted() { deviceId }: VehicleAdmission, @JsonBody(HeldRequest) request: HeldRequest) {
    this.limits.take(deviceId, 1);
    return { orders: await this.orders.held(deviceId, request) };
  }

  @Describe({
    summary: 'Asks a device for what it recorded.',
    answers: { 201: FetchOrder },
    problems: ['telemetry.too_many_orders', 'telemetry.unknown_device'],
  })
  @Post('/devices/:device/fetch-orders')
  @On('operator')
  @RequireOperator('device:write')
  issue(
    @PathParam('device', DeviceId) device: DeviceId,
    @JsonBody(OrderRequest) request: OrderRequest,
    @Admitted() { subject }: OperatorAdmission,
  ) {
    return this.orders.issueByOperator(device, request, subject);
  }

  @Describe({
    summary: 'The fetch orders of a device.',
    answers: { 200: FetchOrderList },
  })
  @Get('/devices/:device/fetch-orders')
  @On('operator')
  @RequireOperator('device:read')
  list(@PathParam('device', DeviceId) device: DeviceId) {
    return this.orders.list(device);
  }

  @Describe({
    summary: 'Takes a fetch order back.',
    answers: { 200: FetchOrder },
    problems: ['telemetry.order_not_found', 'telemetry.order_used'],
  })
  @Post('/devices/:device/fetch-orders/:order/cancel')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('device:write')
  cancel(
    @PathParam('device', DeviceId) device: DeviceId,
    @PathParam('order', OrderId) order: OrderId,
    @Admitted() { subject }: OperatorAdmission,
  ) {
    return this.orders.cancel(device, order, subject);
  }
}
