export { Backlogs } from './backlogs.service.js';
export { type EntityClass, type MigrationClass, runtimeDataSource } from './data-source.provider.js';
export { afterCommit, Database } from './database.service.js';
export { databaseError, isDatabaseAway, isRetryableConflict } from './failure.js';
export { appendOnly, grantRuntime, type Privilege } from './grants.provider.js';
export { type AsOwner, migrate } from './migrate.provider.js';
export {
  INSERT as OUTBOX_INSERT,
  insertParameters as outboxParameters,
  message as outboxMessage,
  Outbox,
  type OutboxMessage,
} from './outbox.service.js';
export { ownerRoleOf, schemaOf } from './schema.js';
export { traceStatements } from './traced-statements.provider.js';
