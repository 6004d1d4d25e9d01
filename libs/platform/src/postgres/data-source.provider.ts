import { readFileSync } from 'node:fs';
import { DataSource, type EntitySchema, type MigrationInterface } from 'typeorm';
import { type CommonConfig, readSecret } from '../service/config.js';
import { addressesOf } from './addresses.js';
import { clientOf, PATIENCE, Primary } from './primary.client.js';
import { ownerRoleOf, schemaOf } from './schema.js';

type Class = abstract new (...args: never[]) => unknown;
export type MigrationClass = new () => MigrationInterface;
export type EntityClass = Class | EntitySchema;

/** The runtime role's connection pool: DML on what the migrations granted, nothing more. */
export function runtimeDataSource(config: CommonConfig, entities: readonly EntityClass[]): DataSource {
  const schema = schemaOf(config.service);
  return dataSource(config, schema, config.database.passwordFile, PATIENCE.silenceMs, {
    entities: [...entities],
    poolSize: config.database.poolSize,
  });
}

/** The owner role's connection: migrations, partitions, retention. A statement of its may take an hour. */
export function ownerDataSource(config: CommonConfig, migrations: readonly MigrationClass[]): DataSource {
  const owner = ownerRoleOf(config.service);
  return dataSource(config, owner, config.database.ownerPasswordFile, Number.POSITIVE_INFINITY, {
    migrations: [...migrations],
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each',
    poolSize: 2,
  });
}

function dataSource(
  config: CommonConfig,
  user: string,
  passwordFile: string,
  silenceMs: number,
  rest: object,
): DataSource {
  const { name, caFile } = config.database;
  const addresses = addressesOf(config.database);
  const schema = schemaOf(config.service);
  return new DataSource({
    type: 'postgres',
    ...addresses[0],
    database: name,
    username: user,
    // Both files are read anew for each connection: a changed password counts from the next one on.
    password: () => readSecret(passwordFile),
    schema,
    applicationName: `outrider-${config.service}`,
    connectTimeoutMS: 3000,
    ...(caFile ? { ssl: tlsBy(caFile) } : {}),
    extra: {
      Client: clientOf(new Primary(addresses), { ...PATIENCE, silenceMs }),
      // A server that was lost while nobody asked it anything.
      keepAlive: true,
      keepAliveInitialDelayMillis: 5000,
      options: `-c search_path=${schema} -c statement_timeout=15000 -c idle_in_transaction_session_timeout=30000`,
    },
    ...rest,
  });
}

/** `pg` copies what it is given here into the options of each connection. */
function tlsBy(caFile: string) {
  return {
    rejectUnauthorized: true,
    get ca() {
      return readFileSync(caFile, 'utf8');
    },
  };
}
