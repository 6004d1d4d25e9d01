import { Module } from '@nestjs/common';
import { Devices } from '../device/devices.repository.js';
import { Apis } from './apis.store.js';
import { AuthorizationListener } from './authorization.listener.js';
import { Authorizer } from './authorizer.service.js';
import { CheckListener } from './check.listener.js';
import { EdgeCallers } from './edge-callers.service.js';
import { EdgeConnections } from './edge-connections.service.js';
import { EdgeFeed } from './edge-feed.service.js';
import { EdgeLimits } from './edge-limits.service.js';
import { Manufacturers } from './manufacturers.service.js';

/** External authorization: what edge proxies ask before they let a request by. */
@Module({
  providers: [
    Apis,
    Devices,
    Manufacturers,
    EdgeLimits,
    EdgeCallers,
    EdgeConnections,
    EdgeFeed,
    Authorizer,
    AuthorizationListener,
    CheckListener,
  ],
})
export class AuthorizeModule {}
