import { Module } from '@nestjs/common';
import { PolicyModule } from '@outrider/platform/policy';
import type { ServiceDefinition } from '@outrider/platform/service';
import { ConditionsRepository } from './attributes/conditions.repository.js';
import { DeviceContextService } from './attributes/device-context.service.js';
import { TelemetryConsumer } from './attributes/telemetry.consumer.js';
import { AuthorizeModule } from './authorize/authorize.module.js';
import { BlockController } from './block/block.controller.js';
import { BlockService } from './block/block.service.js';
import { BlockChecks } from './block/block-checks.service.js';
import { BlockDelivery } from './block/block-delivery.service.js';
import { BlockExpiry } from './block/block-expiry.service.js';
import { Blocks } from './block/blocks.repository.js';
import { Config } from './config.js';
import { DecisionConsumer } from './decision/decision.consumer.js';
import { DecisionRetention } from './decision/decision-retention.service.js';
import { DecisionStreams } from './decision/decision-stream.service.js';
import { DecisionsController } from './decision/decisions.controller.js';
import { DecisionLog } from './decision/decisions.repository.js';
import { setDecisionRetention } from './decision/retention.provider.js';
import { DeviceConsumer } from './device/device.consumer.js';
import { Devices } from './device/devices.repository.js';
import { DocsAssets } from './docs/assets.store.js';
import { DocsController } from './docs/docs.controller.js';
import { GeofenceService } from './geofence/geofence.service.js';
import { GeofencesController } from './geofence/geofences.controller.js';
import { GeofencesRepository } from './geofence/geofences.repository.js';
import { Geofences } from './geofence/geofences.store.js';
import { GatewayTables1764100000000 } from './migrations/1764100000000-gateway-tables.migration.js';
import { Recovery1764300000000 } from './migrations/1764300000000-recovery.migration.js';
import { Policies1764500000000 } from './migrations/1764500000000-policies.migration.js';
import { DeviceAttributes1764510000000 } from './migrations/1764510000000-device-attributes.migration.js';
import { DecisionLog1764700000000 } from './migrations/1764700000000-decision-log.migration.js';
import { BlockTargets1764710000000 } from './migrations/1764710000000-block-targets.migration.js';
import { Manufacturers1764800000000 } from './migrations/1764800000000-manufacturers.migration.js';
import { BundlePublisher } from './policy/bundle-publisher.service.js';
import { Bundles } from './policy/bundles.repository.js';
import { PoliciesController } from './policy/policies.controller.js';
import { PolicyService } from './policy/policy.service.js';

@Module({
  imports: [AuthorizeModule, PolicyModule],
  controllers: [GeofencesController, BlockController, DecisionsController, PoliciesController, DocsController],
  providers: [
    DocsAssets,
    ConditionsRepository,
    TelemetryConsumer,
    DeviceContextService,
    GeofencesRepository,
    Geofences,
    GeofenceService,
    Blocks,
    BlockService,
    BlockDelivery,
    BlockChecks,
    BlockExpiry,
    Devices,
    DeviceConsumer,
    DecisionLog,
    DecisionConsumer,
    DecisionStreams,
    DecisionRetention,
    Bundles,
    BundlePublisher,
    PolicyService,
  ],
})
export class GatewayModule {}

/** What `boot` and the tests start. */
export const definition: ServiceDefinition<Config> = {
  service: 'gateway',
  config: Config,
  module: GatewayModule,
  entities: [],
  migrations: [
    GatewayTables1764100000000,
    Recovery1764300000000,
    Policies1764500000000,
    DeviceAttributes1764510000000,
    DecisionLog1764700000000,
    BlockTargets1764710000000,
    Manufacturers1764800000000,
  ],
  asOwner: (owner, { decisions }) => setDecisionRetention(owner, decisions.retentionDays),
};
