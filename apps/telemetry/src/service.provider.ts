import type { ServiceDefinition } from '@outrider/platform/service';
import { Config } from './config.js';
import { TelemetryTables1763810000000 } from './store/migrations/1763810000000-telemetry-tables.migration.js';
import { OfflineLogs1764590000000 } from './store/migrations/1764590000000-offline-logs.migration.js';
import { MonthlyPartitions1764600000000 } from './store/migrations/1764600000000-monthly-partitions.migration.js';
import { RollbacksAndEpochOrders1764610000000 } from './store/migrations/1764610000000-rollbacks-and-epoch-orders.migration.js';
import { VerdictCounts1764620000000 } from './store/migrations/1764620000000-verdict-counts.migration.js';
import { EventGroups1764640000000 } from './store/migrations/1764640000000-event-groups.migration.js';
import { Findings1764650000000 } from './store/migrations/1764650000000-findings.migration.js';
import { RetentionOfLogs1764660000000 } from './store/migrations/1764660000000-retention-of-logs.migration.js';
import { IndexOfLogsByTime1764670000000 } from './store/migrations/1764670000000-index-of-logs-by-time.migration.js';
import { setRetention } from './store/retention.provider.js';
import { TelemetryModule } from './telemetry.module.js';

/** What `boot` starts; tests and benchmarks start the same. */
export const TELEMETRY: ServiceDefinition<Config> = {
  service: 'telemetry',
  config: Config,
  module: TelemetryModule,
  entities: [],
  migrations: [
    TelemetryTables1763810000000,
    OfflineLogs1764590000000,
    MonthlyPartitions1764600000000,
    RollbacksAndEpochOrders1764610000000,
    VerdictCounts1764620000000,
    EventGroups1764640000000,
    Findings1764650000000,
    RetentionOfLogs1764660000000,
    IndexOfLogsByTime1764670000000,
  ],
  asOwner: (owner, { retentionDays }) => setRetention(owner, retentionDays),
};
