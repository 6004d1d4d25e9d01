import { Injectable } from '@nestjs/common';
import { Metrics } from '../service/metrics.service.js';
import { Database } from './database.service.js';

/** The connections to PostgreSQL, as they are when somebody looks. */
@Injectable()
export class PoolMetrics {
  constructor(database: Database, metrics: Metrics) {
    metrics.gauge('outrider_postgres_connections', 'Connections of the pool.', ['state'], (gauge) => {
      const { totalCount, idleCount } = database.pool;
      gauge.set({ state: 'in_use' }, totalCount - idleCount);
      gauge.set({ state: 'idle' }, idleCount);
    });
    metrics.gauge('outrider_postgres_connections_max', 'As many connections as the pool may open.', [], (gauge) =>
      gauge.set(database.pool.options.max),
    );
    metrics.gauge('outrider_postgres_waiting', 'Work that waits for a connection.', [], (gauge) =>
      gauge.set(database.pool.waitingCount),
    );
  }
}
