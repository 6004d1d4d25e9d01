import { Controller, Get, HttpCode, Post, Req } from '@nestjs/common';
import { CommandId, DeviceId } from '@outrider/ids';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam, QueryParams } from '@outrider/platform/http';
import type { FastifyRequest } from 'fastify';
import { kindDocument } from '../catalogue/catalogue.js';
import { CatalogueStore } from '../catalogue/catalogue.store.js';
import { CommandReader } from './command-reader.service.js';
import { commandView } from './command-view.js';
import { PageQuery } from './page.js';
import { evidenceOf, requesterOf, requestKeyOf } from './requester.provider.js';
import { SendService } from './send.service.js';
import { SendRequest } from './send-command.js';

@Controller()
export class CommandsController {
  constructor(
    private readonly sending: SendService,
    private readonly reader: CommandReader,
    private readonly catalogue: CatalogueStore,
  ) {}

  @Get('/v1/command-kinds')
  @On('operator')
  @RequireOperator('command:send')
  kinds() {
    return { items: [...this.catalogue.kinds.values()].map(kindDocument) };
  }

  @Post('/v1/vehicles/:device/commands')
  @On('operator')
  @RequireOperator('command:send')
  @HttpCode(202)
  send(
    @PathParam('device', DeviceId) deviceId: DeviceId,
    @JsonBody(SendRequest) body: SendRequest,
    @Req() request: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    return this.sending.send(deviceId, body, requesterOf(operator, request), requestKeyOf(request, deviceId));
  }

  @Get('/v1/vehicles/:device/commands')
  @On('operator')
  @RequireOperator('device:read')
  list(@PathParam('device', DeviceId) deviceId: DeviceId, @QueryParams(PageQuery) query: PageQuery) {
    return this.reader.list(deviceId, query.before, query.limit);
  }

  @Get('/v1/commands/:id')
  @On('operator')
  @RequireOperator('device:read')
  show(@PathParam('id', CommandId) id: CommandId) {
    return this.reader.show(id);
  }

  @Post('/v1/commands/:id/cancel')
  @On('operator')
  @RequireOperator('command:send')
  @HttpCode(200)
  async cancel(
    @PathParam('id', CommandId) id: CommandId,
    @Req() request: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    return commandView(await this.sending.cancel(id, operator.subject, evidenceOf(operator, request)));
  }
}
