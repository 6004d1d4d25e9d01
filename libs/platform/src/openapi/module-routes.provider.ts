import { ResourceMetadataController } from '../admission/resource-metadata.controller.js';
import { controllersOf } from '../admission/route-rules.service.js';
import { HealthController } from '../service/health.controller.js';
import { OpenApiController } from './openapi.controller.js';
import type { Route } from './route.js';
import { routesOf } from './routes.provider.js';

/** What a service with this module serves, without starting it. Throws a plain error that names every route without a description. */
export function routesOfModule(module: object): Route[] {
  return routesOf([HealthController, OpenApiController, ResourceMetadataController, ...controllersOf(module)]);
}
