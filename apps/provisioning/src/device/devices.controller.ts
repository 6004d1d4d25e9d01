import { Controller, Get, Headers, Patch, Post, Res } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { DeviceId } from '@outrider/ids';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam, parseIfMatch, versionTag } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { certificateDocument } from '../certificate/certificate.js';
import { Certificates } from '../certificate/certificates.repository.js';
import { DevicePatch, deviceDocument, RegistrationBody } from './device.js';
import { Device, DeviceDetail, Registered } from './device-answers.js';
import { Devices } from './devices.repository.js';
import { type RegistrationResult, Registry } from './registry.service.js';

@Controller('/v1/devices')
export class DevicesController {
  constructor(
    private readonly devices: Devices,
    private readonly registry: Registry,
    private readonly certificates: Certificates,
  ) {}

  @Describe({
    summary: 'Registers a device, or many. Once more with the same content it is 200, with other content 409.',
    answers: { 200: Registered, 201: Registered },
    problems: ['provisioning.device_conflict', 'provisioning.manufacturer_not_found'],
  })
  @Post()
  @On('operator')
  @RequireOperator('device:write')
  async register(
    @JsonBody(RegistrationBody) body: z.infer<typeof RegistrationBody>,
    @Admitted() operator: OperatorAdmission,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    if ('devices' in body) {
      const results = await this.registry.register(body.devices, operator.subject, new Date());
      reply.status(results.some(({ status }) => status === 201) ? 201 : 200);
      return { results: results.map(resultDocument) };
    }
    const [result] = (await this.registry.register([body], operator.subject, new Date())) as [RegistrationResult];
    if (result.status === 409) throw new DomainError(result.code, { detail: result.deviceId });
    reply.status(result.status);
    return deviceDocument(result.device);
  }

  @Describe({
    summary: 'A device and its certificates.',
    answers: { 200: { schema: DeviceDetail, headers: ['ETag'] } },
    problems: ['provisioning.device_not_found'],
  })
  @Get(':id')
  @On('operator')
  @RequireOperator('device:read')
  async show(@PathParam('id', DeviceId) deviceId: DeviceId, @Res({ passthrough: true }) reply: FastifyReply) {
    const device = await this.devices.find(deviceId);
    if (!device) throw new DomainError('provisioning.device_not_found', { detail: deviceId });
    const certificates = await this.certificates.ofDevice(deviceId);
    reply.header('etag', versionTag(device.version));
    return { ...deviceDocument(device), certificates: certificates.map(certificateDocument) };
  }

  @Describe({
    summary: 'Changes a device’s labels, grants or attributes.',
    answers: { 200: { schema: Device, headers: ['ETag'] } },
    headers: ['If-Match'],
    problems: ['provisioning.device_not_found', 'request.precondition_failed'],
  })
  @Patch(':id')
  @On('operator')
  @RequireOperator('device:write')
  async change(
    @PathParam('id', DeviceId) deviceId: DeviceId,
    @JsonBody(DevicePatch) patch: DevicePatch,
    @Headers('if-match') ifMatch: string | undefined,
    @Admitted() operator: OperatorAdmission,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const device = await this.registry.change(deviceId, patch, parseIfMatch(ifMatch), operator.subject, new Date());
    reply.header('etag', versionTag(device.version));
    return deviceDocument(device);
  }
}

function resultDocument(result: RegistrationResult) {
  if (result.status === 409) return { device_id: result.deviceId, status: 409, code: result.code } as const;
  return { device_id: result.device.deviceId, status: result.status } as const;
}
