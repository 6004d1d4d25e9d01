import { Controller, Get, Headers, HttpCode, Post, Req } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { CommandId, DeviceId } from '@outrider/ids';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { bodyBytes, JsonBody, On, PathParam, QueryParams } from '@outrider/platform/http';
import { operatorAttributes } from '@outrider/platform/policy';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CommandReader } from './command-reader.service.js';
import { commandView } from './command-view.js';
import { SendService } from './send.service.js';
import { IdempotencyKey, requestFingerprint, SendRequest } from './send-command.js';

const ListQuery = z.strictObject({
  before: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

@Controller()
export class CommandsController {
  constructor(
    private readonly sending: SendService,
    private readonly reader: CommandReader,
  ) {}

  @Post('/v1/vehicles/:device/commands')
  @On('operator')
  @RequireOperator('command:send')
  @HttpCode(202)
  async send(
    @PathParam('device', DeviceId) deviceId: DeviceId,
    @JsonBody(SendRequest) request: SendRequest,
    @Headers('idempotency-key') key: string | undefined,
    @Req() raw: FastifyRequest,
    @Admitted() operator: OperatorAdmission,
  ) {
    const parsed = IdempotencyKey.safeParse(key);
    if (!parsed.success) throw new DomainError('command.idempotency_key_required');
    const fingerprint = requestFingerprint(deviceId, bodyBytes(raw));
    const { subject, scopes, claims } = operator;
    const requester = { subject, attributes: operatorAttributes(claims), scopes };
    return commandView(await this.sending.send(deviceId, request, requester, parsed.data, fingerprint));
  }

  @Get('/v1/vehicles/:device/commands')
  @On('operator')
  @RequireOperator('device:read')
  list(@PathParam('device', DeviceId) deviceId: DeviceId, @QueryParams(ListQuery) query: z.infer<typeof ListQuery>) {
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
  async cancel(@PathParam('id', CommandId) id: CommandId, @Admitted() operator: OperatorAdmission) {
    return commandView(await this.sending.cancel(id, operator.subject));
  }
}
