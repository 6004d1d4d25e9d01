import { Controller, Delete, Get, HttpCode, Put } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam } from '@outrider/platform/http';
import { GeofenceName } from './geofence.js';
import { GeofenceService } from './geofence.service.js';
import { GeofenceBody, geofenceDocument } from './geofence-document.js';
import { GeofencesRepository } from './geofences.repository.js';

@Controller('v1/geofences')
export class GeofencesController {
  constructor(
    private readonly service: GeofenceService,
    private readonly repository: GeofencesRepository,
  ) {}

  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list() {
    return { items: (await this.repository.all()).map(geofenceDocument) };
  }

  @Get(':name')
  @On('operator')
  @RequireOperator('device:read')
  async show(@PathParam('name', GeofenceName) name: string) {
    return geofenceDocument(await this.service.show(name));
  }

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

  @Delete(':name')
  @On('operator')
  @RequireOperator('device:write')
  @HttpCode(204)
  remove(@PathParam('name', GeofenceName) name: string, @Admitted() operator: OperatorAdmission): Promise<void> {
    return this.service.remove(name, operator.subject, new Date());
  }
}
