import { Controller, Get, Header } from '@nestjs/common';
import { PROTECTED_RESOURCE_PATH } from '@outrider/admission';
import { On } from '../http/on.provider.js';
import { AdmitAnyone } from './decorators.provider.js';
import { ResourceMetadata } from './resource-metadata.service.js';

/** OAuth 2.0 protected resource metadata (RFC 9728): read before a client can have a token, hence by anyone. */
@Controller()
export class ResourceMetadataController {
  constructor(private readonly resource: ResourceMetadata) {}

  @Get(PROTECTED_RESOURCE_PATH)
  @On('vehicle')
  @AdmitAnyone()
  @Header('cache-control', 'public, max-age=300')
  get() {
    return this.resource.metadata();
  }
}
