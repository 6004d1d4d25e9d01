import { Controller, Delete, Get, HttpCode, Put, Res } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { parseCertificates } from '@outrider/x509';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { ManufacturerRow } from './manufacturer.entity.js';
import { ManufacturerName } from './manufacturer.js';
import { Manufacturer, ManufacturerList } from './manufacturer-answers.js';
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
    return { items: (await this.manufacturers.rows()).map(documentOf), next: null };
  }

  @Describe({
    summary: 'Makes a manufacturer, or gives it other authorities.',
    answers: { 200: Manufacturer, 201: Manufacturer },
    problems: ['provisioning.manufacturer_conflict', 'provisioning.manufacturer_invalid'],
  })
  @Put(':name')
  @On('operator')
  @RequireOperator('device:write')
  async put(
    @PathParam('name', ManufacturerName) name: ManufacturerName,
    @JsonBody(PutBody) body: z.infer<typeof PutBody>,
    @Admitted() { subject: who }: OperatorAdmission,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { row, created } = await this.manufacturers.put(name, body.ca, who, new Date());
    reply.status(created ? 201 : 200);
    return documentOf(row);
  }

  @Describe({
    summary: 'Removes a manufacturer.',
    answers: { 204: null },
    problems: ['provisioning.manufacturer_in_use', 'provisioning.manufacturer_not_found'],
  })
  @Delete(':name')
  @HttpCode(204)
  @On('operator')
  @RequireOperator('device:write')
  remove(
    @PathParam('name', ManufacturerName) name: ManufacturerName,
    @QueryParams(RemoveQuery) { force }: z.infer<typeof RemoveQuery>,
    @Admitted() { subject: who }: OperatorAdmission,
  ): Promise<void> {
    return this.manufacturers.remove(name, force === 'true', who, new Date());
  }
}

function documentOf({ name, ca, createdAt, changedAt }: ManufacturerRow) {
  const authorities = parseCertificates(ca).map(({ subject, thumbprint, notAfter }) => ({
    subject: subject.text,
    thumbprint,
    not_after: notAfter.toISOString(),
  }));
  return { name, authorities, created_at: createdAt.toISOString(), changed_at: changedAt.toISOString() };
}
