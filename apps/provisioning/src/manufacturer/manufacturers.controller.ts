import { Controller, Get, Put, Res } from '@nestjs/common';
import { RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam } from '@outrider/platform/http';
import { parseCertificates } from '@outrider/x509';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { ManufacturerRow } from './manufacturer.entity.js';
import { ManufacturerName } from './manufacturer.js';
import { Manufacturers } from './manufacturers.service.js';

const PutBody = z.strictObject({ ca: z.string().min(1).max(65_536) });

@Controller('/v1/manufacturers')
export class ManufacturersController {
  constructor(private readonly manufacturers: Manufacturers) {}

  @Get()
  @On('operator')
  @RequireOperator('fleet:read')
  async list() {
    return { items: (await this.manufacturers.rows()).map(documentOf) };
  }

  @Put(':name')
  @On('operator')
  @RequireOperator('fleet:write')
  async put(
    @PathParam('name', ManufacturerName) name: ManufacturerName,
    @JsonBody(PutBody) body: z.infer<typeof PutBody>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { row, created } = await this.manufacturers.put(name, body.ca, new Date());
    reply.status(created ? 201 : 200);
    return documentOf(row);
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
