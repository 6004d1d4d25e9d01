import { Controller, Get, Headers, HttpCode, Post, Req } from '@nestjs/common';
import { DeviceId } from '@outrider/ids';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { bodyBytes, JsonBody, On, PathParam, parseIfMatch, parseJsonBody, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DecisionBody, OrderBody, OrderQuery, orderCursor } from './order.js';
import { OrderService } from './order.service.js';
import { DeviceOrder, DeviceOrderPage, orderDocument } from './order-answers.js';
import { Orders } from './orders.repository.js';

@Controller('/v1')
export class OrdersController {
  constructor(
    private readonly service: OrderService,
    private readonly orders: Orders,
  ) {}

  @Describe({
    summary: 'Asks for a recovery, a reinstatement or the swap of an ECU; somebody else decides.',
    answers: { 201: DeviceOrder },
    headers: ['If-Match'],
    problems: [
      'provisioning.device_not_found',
      'provisioning.evidence_required',
      'provisioning.factory_identity_refused',
      'provisioning.manufacturer_not_found',
      'provisioning.order_pending',
      'provisioning.state_conflict',
      'request.precondition_failed',
    ],
  })
  @Post('devices/:id/orders')
  @On('operator')
  @RequireOperator('device:write')
  async request(
    @PathParam('id', DeviceId) deviceId: DeviceId,
    @JsonBody(OrderBody) body: OrderBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Admitted() operator: OperatorAdmission,
  ) {
    const now = new Date();
    return orderDocument(await this.service.request(deviceId, body, parseIfMatch(ifMatch), operator.subject, now), now);
  }

  @Describe({
    summary: 'Orders, the newest first.',
    answers: { 200: DeviceOrderPage },
  })
  @Get('orders')
  @On('operator')
  @RequireOperator('device:read')
  async list(@QueryParams(OrderQuery) query: OrderQuery) {
    const now = new Date();
    const found = await this.orders.page(query, now);
    const shown = found.slice(0, query.limit);
    const last = shown.at(-1);
    return {
      items: shown.map((order) => orderDocument(order, now)),
      next: found.length > shown.length && last ? orderCursor(last) : null,
    };
  }

  @Describe({
    summary: 'An order.',
    answers: { 200: DeviceOrder },
    problems: ['provisioning.order_not_found'],
  })
  @Get('orders/:id')
  @On('operator')
  @RequireOperator('device:read')
  async show(@PathParam('id', z.uuid()) orderId: string) {
    return orderDocument(await this.orders.mustFind(orderId), new Date());
  }

  @Describe({
    summary: 'Approves somebody else’s order.',
    answers: { 200: DeviceOrder },
    body: { schema: DecisionBody, types: ['application/json'], optional: true },
    problems: [
      'provisioning.device_not_found',
      'provisioning.factory_identity_refused',
      'provisioning.manufacturer_not_found',
      'provisioning.order_closed',
      'provisioning.order_not_found',
      'provisioning.order_same_operator',
      'provisioning.state_conflict',
    ],
  })
  @Post('orders/:id/approve')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('device:write')
  async approve(
    @PathParam('id', z.uuid()) orderId: string,
    @Req() request: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    const now = new Date();
    return orderDocument(await this.service.approve(orderId, decisionOf(request), operator.subject, now), now);
  }

  @Describe({
    summary: 'Refuses an order, or takes one’s own back.',
    answers: { 200: DeviceOrder },
    body: { schema: DecisionBody, types: ['application/json'], optional: true },
    problems: [
      'provisioning.device_not_found',
      'provisioning.order_closed',
      'provisioning.order_not_found',
      'provisioning.order_same_operator',
    ],
  })
  @Post('orders/:id/reject')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('device:write')
  async reject(
    @PathParam('id', z.uuid()) orderId: string,
    @Req() request: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    const now = new Date();
    return orderDocument(await this.service.reject(orderId, decisionOf(request), operator.subject, now), now);
  }
}

/** A body may be left out. */
function decisionOf(request: FastifyRequest): DecisionBody {
  return bodyBytes(request).length === 0 ? {} : parseJsonBody(request, DecisionBody);
}
