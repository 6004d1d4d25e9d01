import pg from 'pg';
import { query, storedMessages } from '../harness/database.js';
import { endpoints, SERVICES, type Service } from '../harness/endpoints.js';
import { configOf, secretIn } from '../harness/service-config.js';
import { attack, type Trial } from './attack.js';
import { unharmed, victim } from './cast.js';

const REFUSED = /^refused \((42501|0A000|55000|2F\d{3}|P0001|42P01|25006)\)$/;

function schemaOf(service: Service): string {
  return service.replaceAll('-', '_');
}

/** As the service's own runtime role, with the password that the service has. */
async function asRuntime<T>(
  service: Service,
  work: (attempt: (sql: string) => Promise<string>) => Promise<T>,
): Promise<T> {
  const { host, port, name, passwordFile } = configOf(service).database;
  const login = { host, port, database: name, user: schemaOf(service), password: secretIn(passwordFile) };
  const client = new pg.Client(login);
  await client.connect();
  try {
    return await work(async (sql) => {
      await client.query("BEGIN; SET LOCAL lock_timeout = '2s'");
      try {
        const { rowCount } = await client.query(sql);
        return `done (${rowCount ?? 0} rows)`;
      } catch (error) {
        return `refused (${(error as { code?: string }).code})`;
      } finally {
        // Should one get through, nothing of the suite is lost.
        await client.query('ROLLBACK');
      }
    });
  } finally {
    await client.end();
  }
}

function againstMessages(device: string, partition: string): string[] {
  const mine = `WHERE device_id = '${device}'`;
  return [
    `UPDATE telemetry.messages SET payload = '{}' ${mine}`,
    `UPDATE telemetry.messages SET device_id = device_id ${mine}`,
    `DELETE FROM telemetry.messages ${mine}`,
    'TRUNCATE telemetry.messages',
    `UPDATE telemetry.${partition} SET payload = '{}' ${mine}`,
    `DELETE FROM telemetry.${partition} ${mine}`,
    `TRUNCATE telemetry.${partition}`,
    `INSERT INTO telemetry.messages SELECT * FROM telemetry.messages ${mine} ON CONFLICT (device_id, received_at, stream, epoch, seq) DO UPDATE SET payload = '{}'`,
    `MERGE INTO telemetry.messages m USING (SELECT 1) x ON m.device_id = '${device}' WHEN MATCHED THEN DELETE`,
    'ALTER TABLE telemetry.messages DISABLE TRIGGER ALL',
    `ALTER TABLE telemetry.messages DETACH PARTITION telemetry.${partition}`,
    `DROP TABLE telemetry.${partition}`,
    'ALTER TABLE telemetry.messages OWNER TO telemetry',
    "CREATE OR REPLACE FUNCTION telemetry.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    'CREATE RULE hide AS ON INSERT TO telemetry.messages DO INSTEAD NOTHING',
    'CREATE TABLE telemetry.mine (x int)',
    'SET LOCAL session_replication_role = replica',
    'SET LOCAL ROLE telemetry_owner',
    `SET LOCAL ROLE "${endpoints.database.user}"`,
    "COPY (SELECT 1) TO PROGRAM 'true'",
    'SELECT * FROM command.commands LIMIT 1',
    'SELECT * FROM token.signing_keys LIMIT 1',
    'SELECT passwd FROM pg_shadow LIMIT 1',
  ];
}

/** Every table that may only grow, of whatever service. */
async function appendOnlyTables(): Promise<{ schema: string; name: string }[]> {
  return query(
    `SELECT DISTINCT n.nspname AS schema, c.relname AS name FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
     JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE p.proname = 'refuse_change' ORDER BY 1, 2`,
  );
}

async function ownTables(trial: Trial): Promise<void> {
  const tables = await appendOnlyTables();
  trial.must('there are such tables', tables.length > 0, 'none');
  for (const service of SERVICES) {
    const own = tables.filter(({ schema }) => schema === schemaOf(service));
    await asRuntime(service, async (attempt) => {
      for (const { schema, name } of own)
        for (const sql of [`DELETE FROM "${schema}"."${name}"`, `TRUNCATE "${schema}"."${name}" CASCADE`])
          trial.check(`${service}: ${sql}`, REFUSED, await attempt(sql));
      if (service !== 'telemetry')
        trial.check(`${service} reads messages`, REFUSED, await attempt('SELECT * FROM telemetry.messages LIMIT 1'));
    });
  }
}

export const editedEvidence = attack(
  26,
  "edits or deletes a stored message in the database with the service's role",
  'refused by the database',
  async (trial) => {
    const car = await victim();
    await car.send(car.message());
    const before = JSON.stringify(await storedMessages(car.id));
    const [row] = await query<{ partition: string }>(
      'SELECT tableoid::regclass::text AS partition FROM telemetry.messages WHERE device_id = $1 LIMIT 1',
      [car.id],
    );
    const partition = row?.partition.replace(/^telemetry\./, '') ?? 'messages_default';
    await asRuntime('telemetry', async (attempt) => {
      const counted = await attempt(`SELECT 1 FROM telemetry.messages WHERE device_id = '${car.id}'`);
      trial.must('the role reads what it may', /^done \([1-9]/.test(counted), counted);
      for (const sql of againstMessages(car.id, partition)) trial.check(sql, REFUSED, await attempt(sql));
    });
    await ownTables(trial);
    trial.must('every message is as it was', JSON.stringify(await storedMessages(car.id)) === before, 'changed');
    await unharmed(trial);
  },
);
