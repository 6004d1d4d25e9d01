import { randomBytes } from 'node:crypto';
import type { Service } from '@outrider/ids';
import pg from 'pg';

const PASSWORD = 'test';
const ROLE_LOCK = 7_112_026;

/** A database of a test's own, with one service's schema and roles in it, not yet migrated. */
export interface TestDatabase {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  /** Password of the runtime role (named as the schema) and of `<schema>_owner`. */
  readonly password: string;
  readonly schema: string;
  /** As superuser, to look or to tamper. */
  admin(): Promise<pg.Client>;
  drop(): Promise<void>;
}

/** Makes it on the server of `OUTRIDER_TEST_PG_URL` (`npm test` starts one); throws when that is not set. */
export async function createTestDatabase(service: Service): Promise<TestDatabase> {
  const url = process.env['OUTRIDER_TEST_PG_URL'];
  if (!url) throw new Error('OUTRIDER_TEST_PG_URL is not set: run the tests with npm test');
  const schema = service.replaceAll('-', '_');
  const name = `test_${schema}_${randomBytes(6).toString('hex')}`;
  await asAdmin(url, async (client) => {
    // Roles belong to the whole server: one test at a time makes them.
    await client.query('SELECT pg_advisory_lock($1)', [ROLE_LOCK]);
    for (const role of [schema, `${schema}_owner`]) {
      const found = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
      if (found.rowCount === 0) await client.query(`CREATE ROLE "${role}" LOGIN PASSWORD '${PASSWORD}'`);
    }
    await client.query('SELECT pg_advisory_unlock($1)', [ROLE_LOCK]);
    await client.query(`CREATE DATABASE "${name}"`);
  });
  const own = new URL(url);
  own.pathname = `/${name}`;
  await asAdmin(own.href, (client) => client.query(`CREATE SCHEMA "${schema}" AUTHORIZATION "${schema}_owner"`));
  return {
    host: own.hostname,
    port: Number(own.port),
    name,
    password: PASSWORD,
    schema,
    admin: async () => {
      const client = new pg.Client({ connectionString: own.href, options: `-c search_path=${schema}` });
      await client.connect();
      return client;
    },
    drop: () => asAdmin(url, (client) => client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)),
  };
}

async function asAdmin(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
