import { Controller, Get, Headers, HttpCode, Patch, Post, Res } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { DeviceId } from '@outrider/ids';
import { RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam, QueryParams } from '@outrider/platform/http';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { certificateDocument } from '../certificate/certificate.js';
import { Certificates } from '../certificate/certificates.repository.js';
import { cursorOf, DevicePatch, DeviceQuery, deviceDocument, RegistrationBody } from './device.js';
import { Devices } from './devices.repository.js';
import { type RegistrationResult, Registry } from './registry.service.js';

@Controller('/v1/devices')
export class DevicesController {
  constructor(
    private readonly devices: Devices,
    private readonly registry: Registry,
    private readonly certificates: Certificates,
  ) {}

  @Post()
  @On('operator')
  @RequireOperator('fleet:write')
  async register(
    @JsonBody(RegistrationBody) body: z.infer<typeof RegistrationBody>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    if ('devices' in body) {
      const results = await this.registry.register(body.devices, new Date());
      reply.status(results.some(({ status }) => status === 201) ? 201 : 200);
      return { results: results.map(resultDocument) };
    }
    const [result] = (await this.registry.register([body], new Date())) as [RegistrationResult];
    if (result.status === 409) throw new DomainError(result.code, { detail: result.deviceId });
    reply.status(result.status);
    return deviceDocument(result.device);
  }

  @Get()
  @On('operator')
  @RequireOperator('fleet:read')
  async list(@QueryParams(DeviceQuery) query: DeviceQuery) {
    const rows = await this.devices.page(query);
    const items = rows.slice(0, query.limit);
    const last = items.at(-1);
    return {
      items: items.map((row) => deviceDocument(row)),
      next: rows.length > items.length && last ? cursorOf(last.deviceId) : null,
    };
  }

  @Get(':id')
  @On('operator')
  @RequireOperator('fleet:read')
  async show(@PathParam('id', DeviceId) deviceId: DeviceId, @Res({ passthrough: true }) reply: FastifyReply) {
    const device = await this.devices.find(deviceId);
    if (!device) throw new DomainError('provisioning.device_not_found', { detail: deviceId });
    const certificates = await this.certificates.ofDevice(deviceId);
    reply.header('etag', `"${device.version}"`);
    return { ...deviceDocument(device), certificates: certificates.map(certificateDocument) };
  }

  @Patch(':id')
  @On('operator')
  @RequireOperator('fleet:write')
  async change(
    @PathParam('id', DeviceId) deviceId: DeviceId,
    @JsonBody(DevicePatch) patch: DevicePatch,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const device = await this.registry.change(deviceId, patch, versionOf(ifMatch), new Date());
    reply.header('etag', `"${device.version}"`);
    return deviceDocument(device);
  }

  @Post(':id/retire')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('fleet:write')
  async retire(@PathParam('id', DeviceId) deviceId: DeviceId) {
    return deviceDocument(await this.registry.retire(deviceId, new Date()));
  }
}

function resultDocument(result: RegistrationResult) {
  if (result.status === 409) return { device_id: result.deviceId, status: 409, code: result.code };
  return { device_id: result.device.deviceId, status: result.status };
}

/** RFC 9110 §13.1.1: an ETag that is none of ours matches nothing. */
function versionOf(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch === '*') return undefined;
  return Number(/^"(\d{1,9})"$/.exec(ifMatch)?.[1] ?? -1);
}
