import { Controller, Get, Header, Inject } from '@nestjs/common';
import { AdmitAnyone } from '@outrider/platform/admission';
import { On } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { CONFIG } from '@outrider/platform/service';
import type { TokenConfig } from '../config.js';
import { AuthorizationServer } from '../oauth/oauth-answers.js';
import { scopeCatalogue } from '../vehicle-token/scope.js';
import { authorizationServerMetadata } from './metadata.js';

const CACHE = 'public, max-age=300';

@Controller('.well-known/oauth-authorization-server')
export class MetadataController {
  private readonly metadata;

  constructor(@Inject(CONFIG) { tokenIssuer, operatorUrl, listeners, apis }: TokenConfig) {
    this.metadata = authorizationServerMetadata({
      issuer: tokenIssuer,
      operatorUrl,
      vehicleScopes: scopeCatalogue(apis).scopes,
      takesDpop: listeners.vehicle?.dpop !== undefined,
    });
  }

  @Describe({
    summary: 'The authorization server (RFC 8414).',
    answers: { 200: { schema: AuthorizationServer, headers: ['Cache-Control'] } },
  })
  @Get()
  @On('vehicle')
  @AdmitAnyone()
  @Header('cache-control', CACHE)
  onVehicle() {
    return this.metadata;
  }

  @Describe({
    summary: 'The authorization server (RFC 8414).',
    answers: { 200: { schema: AuthorizationServer, headers: ['Cache-Control'] } },
  })
  @Get()
  @On('operator')
  @AdmitAnyone()
  @Header('cache-control', CACHE)
  onOperator() {
    return this.metadata;
  }
}
