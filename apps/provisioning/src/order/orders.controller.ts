import { Controller, Get, Headers, HttpCode, Post, Req } from '@nestjs/common';
import { DeviceId } from '@outrider/ids';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { bodyBytes, JsonBody, On, PathParam, parseJsonBody, QueryParams } from '@outrider/platform/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { parseIfMatch } from '../device/if-match.js';
import { DecisionBody, OrderBody, OrderQuery, orderCursor, orderDocument } from './order.js';
import { OrderService } from './order.service.js';
import { Orders } from './orders.repository.js';

@Controller('/v1')
export class OrdersController {
  constructor(
    private readonly service: OrderService,
    private readonly orders: Orders,
  ) {}

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

  @Get('orders/:id')
  @On('operator')
  @RequireOperator('device:read')
  async show(@PathParam('id', z.uuid()) orderId: string) {
    return orderDocument(await this.orders.mustFind(orderId), new Date());
  }

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
