import { Controller, Headers, HttpCode, Post, Req, Res } from '@nestjs/common';
import { DeviceId } from '@outrider/ids';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { bodyBytes, JsonBody, On, PathParam, parseIfMatch, parseJsonBody, versionTag } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { deviceDocument } from '../device/device.js';
import { Device } from '../device/device-answers.js';
import { Lifecycle } from './lifecycle.service.js';
import { OperatorEventBody, RetireBody } from './operator-event.js';

@Controller('/v1/devices')
export class LifecycleController {
  constructor(private readonly lifecycle: Lifecycle) {}

  @Describe({
    summary: 'Reports what happened to a device: sold, stolen, in a workshop, scrapped.',
    answers: { 200: { schema: Device, headers: ['ETag'] } },
    headers: ['If-Match'],
    problems: [
      'provisioning.device_not_found',
      'provisioning.order_required',
      'provisioning.state_conflict',
      'request.precondition_failed',
    ],
  })
  @Post(':id/events')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('device:write')
  async report(
    @PathParam('id', DeviceId) deviceId: DeviceId,
    @JsonBody(OperatorEventBody) body: OperatorEventBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Admitted() operator: OperatorAdmission,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const device = await this.lifecycle.report(deviceId, body, parseIfMatch(ifMatch), operator.subject, new Date());
    reply.header('etag', versionTag(device.version));
    return deviceDocument(device);
  }

  /** Scrapping, as it was called first. A reason is asked for, not demanded. */
  @Describe({
    summary: 'Takes a device out of service for good.',
    answers: { 200: { schema: Device, headers: ['ETag'] } },
    headers: ['If-Match'],
    body: { schema: RetireBody, types: ['application/json'], optional: true },
    problems: [
      'provisioning.device_not_found',
      'provisioning.order_required',
      'provisioning.state_conflict',
      'request.precondition_failed',
    ],
  })
  @Post(':id/retire')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('device:write')
  async retire(
    @PathParam('id', DeviceId) deviceId: DeviceId,
    @Req() request: FastifyRequest,
    @Headers('if-match') ifMatch: string | undefined,
    @Admitted() operator: OperatorAdmission,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const given = bodyBytes(request).length === 0 ? {} : parseJsonBody(request, RetireBody);
    const body = { event: 'scrapping', reason: 'retired by an operator', ...given } as const;
    const device = await this.lifecycle.report(deviceId, body, parseIfMatch(ifMatch), operator.subject, new Date());
    reply.header('etag', versionTag(device.version));
    return deviceDocument(device);
  }
}
