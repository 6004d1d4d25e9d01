import { Controller, Delete, Get, Headers, HttpCode, Put, Res } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { documentTag, JsonBody, On, PathParam, parseIfMatch, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { ManufacturerName } from './manufacturer.js';
import { Manufacturer, ManufacturerList } from './manufacturer-answers.js';
import { type KeptManufacturer, manufacturerDocument } from './manufacturer-document.js';
import { Manufacturers } from './manufacturers.service.js';

const PutBody = z.strictObject({ ca: z.string().min(1).max(65_536) });
/** `force`: though devices of it are in service. */
const RemoveQuery = z.strictObject({ force: z.enum(['true', 'false']).optional() });

@Controller('/v1/manufacturers')
export class ManufacturersController {
  constructor(private readonly manufacturers: Manufacturers) {}

  @Describe({
    summary: 'The manufacturers and their authorities.',
    answers: { 200: ManufacturerList },
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list() {
    return { items: (await this.manufacturers.rows()).map(manufacturerDocument), next: null };
  }

  @Describe({
    summary: 'A manufacturer and its authorities.',
    answers: { 200: { schema: Manufacturer, headers: ['ETag'] } },
    problems: ['provisioning.manufacturer_not_found'],
  })
  @Get(':name')
  @On('operator')
  @RequireOperator('device:read')
  async show(
    @PathParam('name', ManufacturerName) name: ManufacturerName,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(await this.manufacturers.mustFind(name), reply);
  }

  @Describe({
    summary: 'Makes a manufacturer, or gives it other authorities.',
    answers: { 200: { schema: Manufacturer, headers: ['ETag'] }, 201: { schema: Manufacturer, headers: ['ETag'] } },
    headers: ['If-Match'],
    problems: [
      'provisioning.manufacturer_conflict',
      'provisioning.manufacturer_invalid',
      'request.precondition_failed',
    ],
  })
  @Put(':name')
  @On('operator')
  @RequireOperator('device:write')
  async put(
    @PathParam('name', ManufacturerName) name: ManufacturerName,
    @JsonBody(PutBody) body: z.infer<typeof PutBody>,
    @Headers('if-match') ifMatch: string | undefined,
    @Admitted() { subject: who }: OperatorAdmission,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { row, created } = await this.manufacturers.put(name, body.ca, parseIfMatch(ifMatch), who, new Date());
    reply.status(created ? 201 : 200);
    return tagged(row, reply);
  }

  @Describe({
    summary: 'Removes a manufacturer.',
    answers: { 204: null },
    headers: ['If-Match'],
    problems: [
      'provisioning.manufacturer_in_use',
      'provisioning.manufacturer_not_found',
      'request.precondition_failed',
    ],
  })
  @Delete(':name')
  @HttpCode(204)
  @On('operator')
  @RequireOperator('device:write')
  remove(
    @PathParam('name', ManufacturerName) name: ManufacturerName,
    @QueryParams(RemoveQuery) { force }: z.infer<typeof RemoveQuery>,
    @Headers('if-match') ifMatch: string | undefined,
    @Admitted() { subject: who }: OperatorAdmission,
  ): Promise<void> {
    return this.manufacturers.remove(name, force === 'true', parseIfMatch(ifMatch), who, new Date());
  }
}

function tagged(row: KeptManufacturer, reply: FastifyReply) {
  const document = manufacturerDocument(row);
  reply.header('etag', documentTag(document));
  return document;
}
