import { readFileSync } from 'node:fs';
import { DataSource, type EntitySchema, type MigrationInterface } from 'typeorm';
import { type CommonConfig, readSecret } from '../service/config.js';
import { ownerRoleOf, schemaOf } from './schema.js';

type Class = abstract new (...args: never[]) => unknown;
export type MigrationClass = new () => MigrationInterface;
export type EntityClass = Class | EntitySchema;

/** The runtime role's connection pool: DML on what the migrations granted, nothing more. */
export function runtimeDataSource(config: CommonConfig, entities: readonly EntityClass[]): DataSource {
  const schema = schemaOf(config.service);
  return dataSource(config, schema, readSecret(config.database.passwordFile), {
    entities: [...entities],
    poolSize: config.database.poolSize,
  });
}

/** The owner role's connection: migrations, partitions, retention. */
export function ownerDataSource(config: CommonConfig, migrations: readonly MigrationClass[]): DataSource {
  const owner = ownerRoleOf(config.service);
  return dataSource(config, owner, readSecret(config.database.ownerPasswordFile), {
    migrations: [...migrations],
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each',
    poolSize: 2,
  });
}

function dataSource(config: CommonConfig, user: string, password: string, rest: object): DataSource {
  const { host, port, name, caFile } = config.database;
  const schema = schemaOf(config.service);
  return new DataSource({
    type: 'postgres',
    host,
    port,
    database: name,
    username: user,
    password,
    schema,
    applicationName: `outrider-${config.service}`,
    connectTimeoutMS: 3000,
    ...(caFile ? { ssl: { ca: readFileSync(caFile, 'utf8'), rejectUnauthorized: true } } : {}),
    extra: {
      options: `-c search_path=${schema} -c statement_timeout=15000 -c idle_in_transaction_session_timeout=30000`,
    },
    ...rest,
  });
}
