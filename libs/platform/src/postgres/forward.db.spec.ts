import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { InstanceId, SERVICES, type Service } from '@outrider/ids';
import {
  createTestDatabase,
  createTestFleet,
  type TestDatabase,
  type TestFleet,
  testServiceConfig,
} from '@outrider/testing';
import { serviceConfig } from '../service/config.js';
import { createLogger } from '../service/logger.provider.js';
import type { MigrationClass } from './data-source.provider.js';
import { migrate } from './migrate.provider.js';

const APPS = join(import.meta.dirname, '../../../../apps');
const FOLDERS = ['migrations', 'store/migrations'];

/** As they are built, in their order. */
async function migrationsOf(service: Service): Promise<MigrationClass[]> {
  const folders = FOLDERS.map((folder) => join(APPS, service, 'dist', folder)).filter((folder) => existsSync(folder));
  const files = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.migration.js'))
      .map((name) => ({ name, path: join(folder, name) })),
  );
  files.sort((a, b) => (a.name < b.name ? -1 : 1));
  const modules = await Promise.all(files.map(({ path }) => import(pathToFileURL(path).href) as Promise<object>));
  return modules.flatMap((each) => Object.values(each) as MigrationClass[]).filter((each) => /\d{13}$/.test(each.name));
}

interface Column {
  readonly name: string;
  readonly type: string;
  readonly needed: boolean;
}

/** What the runtime role may do, and every column, by its table. */
async function shapeOf(database: TestDatabase): Promise<{ columns: Column[]; rights: string[] }> {
  const client = await database.admin();
  try {
    const columns = await client.query<Column>(
      `SELECT table_name || '.' || column_name AS name, data_type AS type,
         is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' AND is_generated = 'NEVER' AS needed
       FROM information_schema.columns WHERE table_schema = $1 ORDER BY 1`,
      [database.schema],
    );
    const rights = await client.query<{ right: string }>(
      `SELECT privilege_type || ' ' || table_name AS right FROM information_schema.role_table_grants
       WHERE table_schema = $1 AND grantee = $1 ORDER BY 1`,
      [database.schema],
    );
    return { columns: columns.rows, rights: rights.rows.map(({ right }) => right) };
  } finally {
    await client.end();
  }
}

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await createTestFleet();
});

describe('the last migration leaves the version before its tables', () => {
  it.each(SERVICES)(
    'of %s',
    async (service) => {
      const database = await createTestDatabase(service);
      try {
        const parts = {
          fleet,
          database,
          nats: { url: 'nats://127.0.0.1:1', passwordFile: '/none' } as never,
        };
        const config = serviceConfig({}).parse((await testServiceConfig(service, parts)).config);
        const logger = createLogger(service, InstanceId.parse(`${service}-00000001`), 'fatal');
        const all = await migrationsOf(service);
        expect(all.length).toBeGreaterThan(0);
        await migrate(config, all.slice(0, -1), logger);
        const before = await shapeOf(database);
        if (service === 'fleet-ca') await logCertificate(database, 'a');
        await migrate(config, all, logger);
        const after = await shapeOf(database);
        // As the version before writes it, to the new table too.
        if (service === 'fleet-ca') await logCertificate(database, 'b');

        const known = new Map(after.columns.map((column) => [column.name, column]));
        expect(before.columns.filter(({ name, type }) => known.get(name)?.type !== type)).toEqual([]);
        expect(before.rights.filter((right) => !after.rights.includes(right))).toEqual([]);
        const old = new Map(before.columns.map((column) => [column.name, column]));
        const tables = new Set(before.columns.map(({ name }) => name.split('.')[0]));
        const demanded = after.columns.filter(
          ({ name, needed }) => needed && tables.has(name.split('.')[0] as string) && old.get(name)?.needed !== true,
        );
        expect(demanded).toEqual([]);
      } finally {
        await database.drop();
      }
    },
    60_000,
  );
});

async function logCertificate(database: TestDatabase, name: string): Promise<void> {
  const client = await database.admin();
  try {
    await client.query(
      `INSERT INTO issued_certificates (thumbprint, issuer_key_id, serial_number, key_thumbprint, profile, requested_by, request_id,
         request_sha256, not_before, not_after, issued_at, certificate)
       VALUES ($1, 'k', $1, 'k', 'vehicle', 'provisioning', gen_random_uuid(), 'h', now(), now(), now(), '\\x00')`,
      [name],
    );
    const { rows } = await client.query('SELECT count(*)::int AS n FROM issued_certificates');
    expect(rows).toEqual([{ n: name === 'a' ? 1 : 2 }]);
  } finally {
    await client.end();
  }
}
