import { Controller, Delete, Get, HttpCode, Put } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { GeofenceName } from './geofence.js';
import { GeofenceService } from './geofence.service.js';
import { Geofence, GeofenceList } from './geofence-answers.js';
import { GeofenceBody, geofenceDocument } from './geofence-document.js';
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
    answers: { 200: Geofence },
    problems: ['policy.geofence_not_found'],
  })
  @Get(':name')
  @On('operator')
  @RequireOperator('device:read')
  async show(@PathParam('name', GeofenceName) name: string) {
    return geofenceDocument(await this.service.show(name));
  }

  @Describe({
    summary: 'Makes a geofence, or puts another in its place.',
    answers: { 200: Geofence },
  })
  @Put(':name')
  @On('operator')
  @RequireOperator('device:write')
  async put(
    @PathParam('name', GeofenceName) name: string,
    @JsonBody(GeofenceBody) body: GeofenceBody,
    @Admitted() operator: OperatorAdmission,
  ) {
    return geofenceDocument(await this.service.put(name, body, operator.subject, new Date()));
  }

  @Describe({
    summary: 'Removes a geofence.',
    answers: { 204: null },
    problems: ['policy.geofence_not_found'],
  })
  @Delete(':name')
  @On('operator')
  @RequireOperator('device:write')
  @HttpCode(204)
  remove(@PathParam('name', GeofenceName) name: string, @Admitted() operator: OperatorAdmission): Promise<void> {
    return this.service.remove(name, operator.subject, new Date());
  }
}
