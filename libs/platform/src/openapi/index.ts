export { Describe, DescribeDirect } from './describe.provider.js';
export type { Answers, RouteDescription } from './description.js';
export { describeService, type OpenApiDocument } from './document.js';
export { merge } from './merge.js';
export { routesOfModule } from './module-routes.provider.js';
export { VERSION } from './version.js';
