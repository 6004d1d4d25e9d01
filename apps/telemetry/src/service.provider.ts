import type { ServiceDefinition } from '@outrider/platform/service';
import { Config } from './config.js';
import { TelemetryTables1763810000000 } from './store/migrations/1763810000000-telemetry-tables.migration.js';
import { TelemetryModule } from './telemetry.module.js';

/** What `boot` starts; tests and benchmarks start the same. */
export const TELEMETRY: ServiceDefinition<Config> = {
  service: 'telemetry',
  config: Config,
  module: TelemetryModule,
  entities: [],
  migrations: [TelemetryTables1763810000000],
};
