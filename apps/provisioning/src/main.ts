import 'reflect-metadata';
import { boot } from '@outrider/platform/service';
import { Config } from './config.js';
import { ENTITIES, MIGRATIONS, ProvisioningModule } from './provisioning.module.js';

await boot({
  service: 'provisioning',
  config: Config,
  module: ProvisioningModule,
  entities: ENTITIES,
  migrations: MIGRATIONS,
});
