/** Roles and schemas: each service owns one schema, and reads no other's. */
import pg from 'pg';
import { secret } from './files.ts';
import { query } from './postgres.ts';
import { SERVICES, schemaOf } from './services.ts';

export const DATABASE = 'outrider';

/** Files with the passwords of a service's two roles. */
export function rolePasswordFiles(secrets: string, service: string): { runtime: string; owner: string } {
  return { runtime: `${secrets}/postgres-${service}`, owner: `${secrets}/postgres-${service}-owner` };
}

/** Creates what is missing and sets what differs; `adminUrl` names any database of the server. Returns the suite's own URL. */
export async function prepareDatabase(adminUrl: string, secrets: string): Promise<string> {
  const own = new URL(adminUrl);
  own.pathname = `/${DATABASE}`;
  const { rowCount } = await query(adminUrl, `SELECT 1 FROM pg_database WHERE datname = '${DATABASE}'`);
  if (!rowCount) await query(adminUrl, `CREATE DATABASE ${DATABASE} TEMPLATE template0 ENCODING 'UTF8'`);
  await query(own.href, databaseStatements(DATABASE, secrets).join(';\n'));
  return own.href;
}

/** Every role with its password, and every schema; may be run again. `shown` is how a password is given to the server: as it is, or as its verifier. */
export function databaseStatements(
  database: string,
  secrets: string,
  shown = (password: string) => password,
): string[] {
  return [
    'BEGIN',
    `REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
    'REVOKE ALL ON SCHEMA public FROM PUBLIC',
    ...SERVICES.flatMap(({ name }) => roleStatements(name, database, rolePasswordFiles(secrets, name), shown)),
    'COMMIT',
  ];
}

function roleStatements(
  service: string,
  database: string,
  files: { runtime: string; owner: string },
  shown: (password: string) => string,
): string[] {
  const runtime = schemaOf(service);
  const owner = `${runtime}_owner`;
  return [
    ...role(runtime, shown(secret(files.runtime))),
    ...role(owner, shown(secret(files.owner))),
    // The migrations name the tables the service may write; here it is only let into its own schema.
    `GRANT CONNECT ON DATABASE ${database} TO ${runtime}, ${owner}`,
    // A server of the user's own may give us no superuser: a role makes a schema for another only as its member.
    `GRANT ${owner} TO CURRENT_USER`,
    `CREATE SCHEMA IF NOT EXISTS ${runtime} AUTHORIZATION ${owner}`,
    `GRANT USAGE ON SCHEMA ${runtime} TO ${runtime}`,
    `ALTER ROLE ${runtime} SET search_path = ${runtime}`,
    `ALTER ROLE ${owner} SET search_path = ${runtime}`,
  ];
}

function role(name: string, password: string): string[] {
  return [
    `DO $$ BEGIN CREATE ROLE ${name} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    `ALTER ROLE ${name} WITH LOGIN NOINHERIT PASSWORD ${pg.escapeLiteral(password)}`,
  ];
}
