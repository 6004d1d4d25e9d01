import { Module } from '@nestjs/common';
import type { ServiceDefinition } from '@outrider/platform/service';
import { BlockController } from './block/block.controller.js';
import { BlockService } from './block/block.service.js';
import { BlockDelivery } from './block/block-delivery.service.js';
import { Blocks } from './block/blocks.repository.js';
import { Config } from './config.js';
import { DecisionConsumer } from './decision/decision.consumer.js';
import { DecisionsController } from './decision/decisions.controller.js';
import { DecisionLog } from './decision/decisions.repository.js';
import { DeviceConsumer } from './device/device.consumer.js';
import { Devices } from './device/devices.repository.js';
import { GatewayTables1764100000000 } from './migrations/1764100000000-gateway-tables.migration.js';
import { Recovery1764300000000 } from './migrations/1764300000000-recovery.migration.js';

@Module({
  controllers: [BlockController, DecisionsController],
  providers: [Blocks, BlockService, BlockDelivery, Devices, DeviceConsumer, DecisionLog, DecisionConsumer],
})
export class GatewayModule {}

/** What `boot` and the tests start. */
export const definition: ServiceDefinition<Config> = {
  service: 'gateway',
  config: Config,
  module: GatewayModule,
  entities: [],
  migrations: [GatewayTables1764100000000, Recovery1764300000000],
};
