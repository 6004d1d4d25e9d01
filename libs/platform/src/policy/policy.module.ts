import { Module } from '@nestjs/common';
import { DeviceContexts } from './device-contexts.client.js';
import { Forbids } from './forbids.service.js';
import { Policies } from './policies.store.js';
import { PolicyReports } from './policy-reports.service.js';

/** For the services that decide by policies. */
@Module({
  providers: [PolicyReports, Policies, DeviceContexts, Forbids],
  exports: [Policies, DeviceContexts, Forbids],
})
export class PolicyModule {}
