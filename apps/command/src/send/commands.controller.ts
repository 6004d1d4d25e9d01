import { Controller, Get, HttpCode, Post, Req } from '@nestjs/common';
import { CommandId, DeviceId } from '@outrider/ids';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyRequest } from 'fastify';
import { kindDocument } from '../catalogue/catalogue.js';
import { CatalogueStore } from '../catalogue/catalogue.store.js';
import { Command, CommandDetail, CommandKinds, CommandPage } from './command-answers.js';
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

  @Describe({
    summary: 'What may be sent: names, parameters, and the rights that each needs.',
    answers: { 200: CommandKinds },
  })
  @Get('/v1/command-kinds')
  @On('operator')
  @RequireOperator('command:send')
  kinds() {
    return { items: [...this.catalogue.kinds.values()].map(kindDocument), next: null };
  }

  @Describe({
    summary: 'Queues a command for one vehicle.',
    answers: { 202: Command },
    headers: ['Idempotency-Key!'],
    problems: [
      'auth.role_insufficient',
      'command.device_unavailable',
      'command.idempotency_key_required',
      'command.idempotency_mismatch',
      'command.parameters_invalid',
      'command.queue_full',
      'command.unknown_name',
      'policy.denied',
      'policy.invalid',
      'policy.unavailable',
      'service.upstream_invalid',
      'service.upstream_unavailable',
    ],
  })
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

  @Describe({
    summary: 'The commands of one vehicle, the newest first.',
    answers: { 200: CommandPage },
  })
  @Get('/v1/vehicles/:device/commands')
  @On('operator')
  @RequireOperator('device:read')
  list(@PathParam('device', DeviceId) deviceId: DeviceId, @QueryParams(PageQuery) query: PageQuery) {
    return this.reader.list(deviceId, query.after ?? query.before, query.limit);
  }

  @Describe({
    summary: 'A command, its steps and its outcome.',
    answers: { 200: CommandDetail },
    problems: ['command.not_found'],
  })
  @Get('/v1/commands/:id')
  @On('operator')
  @RequireOperator('device:read')
  show(@PathParam('id', CommandId) id: CommandId) {
    return this.reader.show(id);
  }

  @Describe({
    summary: 'Cancels a command that is not released yet.',
    answers: { 200: Command },
    problems: ['command.not_found', 'command.state_conflict'],
  })
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
