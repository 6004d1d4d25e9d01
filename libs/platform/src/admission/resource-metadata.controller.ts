import { Controller, Get, Header } from '@nestjs/common';
import { PROTECTED_RESOURCE_PATH } from '@outrider/admission';
import { On } from '../http/on.provider.js';
import { Describe } from '../openapi/describe.provider.js';
import { AdmitAnyone } from './decorators.provider.js';
import { ResourceMetadata } from './resource-metadata.service.js';
import { ProtectedResource } from './resource-metadata-answers.js';

/** OAuth 2.0 protected resource metadata (RFC 9728): read before a client can have a token, hence by anyone. */
@Controller()
export class ResourceMetadataController {
  constructor(private readonly resource: ResourceMetadata) {}

  @Describe({
    summary: 'What tokens serve here and who issues them (RFC 9728).',
    answers: { 200: { schema: ProtectedResource, headers: ['Cache-Control'] } },
    problems: ['request.not_found'],
  })
  @Get(PROTECTED_RESOURCE_PATH)
  @On('vehicle')
  @AdmitAnyone()
  @Header('cache-control', 'public, max-age=300')
  get() {
    return this.resource.metadata();
  }
}
