import { Controller, Delete, Get, Headers, HttpCode, Put, Res } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { documentTag, JsonBody, On, PathParam, parseIfMatch } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply } from 'fastify';
import { GeofenceName } from './geofence.js';
import { GeofenceService } from './geofence.service.js';
import { Geofence, GeofenceList } from './geofence-answers.js';
import { GeofenceBody, geofenceDocument, type KeptGeofence } from './geofence-document.js';
import { GeofencesRepository } from './geofences.repository.js';

@Controller('v1/geofences')
export class GeofencesController {
  constructor(
    private readonly service: GeofenceService,
    private readonly repository: GeofencesRepository,
  ) {}

  @Describe({
    summary: 'All geofences.',
    answers: { 200: GeofenceList },
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list() {
    return { items: (await this.repository.all()).map(geofenceDocument), next: null };
  }

  @Describe({
    summary: 'A geofence.',
    answers: { 200: { schema: Geofence, headers: ['ETag'] } },
    problems: ['policy.geofence_not_found'],
  })
  @Get(':name')
  @On('operator')
  @RequireOperator('device:read')
  async show(@PathParam('name', GeofenceName) name: string, @Res({ passthrough: true }) reply: FastifyReply) {
    return tagged(await this.service.show(name), reply);
  }

  @Describe({
    summary: 'Makes a geofence, or puts another in its place.',
    answers: { 200: { schema: Geofence, headers: ['ETag'] } },
    headers: ['If-Match'],
    problems: ['policy.geofence_invalid', 'request.precondition_failed'],
  })
  @Put(':name')
  @On('operator')
  @RequireOperator('device:write')
  async put(
    @PathParam('name', GeofenceName) name: string,
    @JsonBody(GeofenceBody) body: GeofenceBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Admitted() operator: OperatorAdmission,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const kept = await this.service.put(name, body, parseIfMatch(ifMatch), operator.subject, new Date());
    return tagged(kept, reply);
  }

  @Describe({
    summary: 'Removes a geofence.',
    answers: { 204: null },
    headers: ['If-Match'],
    problems: ['policy.geofence_not_found', 'request.precondition_failed'],
  })
  @Delete(':name')
  @On('operator')
  @RequireOperator('device:write')
  @HttpCode(204)
  remove(
    @PathParam('name', GeofenceName) name: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Admitted() operator: OperatorAdmission,
  ): Promise<void> {
    return this.service.remove(name, parseIfMatch(ifMatch), operator.subject, new Date());
  }
}

function tagged(kept: KeptGeofence, reply: FastifyReply) {
  const document = geofenceDocument(kept);
  reply.header('etag', documentTag(document));
  return document;
}
