import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Devices (whose row is the lock), windows, and the raw messages by day. */
export class TelemetryTables1763810000000 implements MigrationInterface {
  readonly name = 'TelemetryTables1763810000000';

  async up(runner: QueryRunner): Promise<void> {
    const { schema } = runner.connection.options as { schema: string };
    // Updated in place all day long: room in each page keeps the updates off the indexes.
    await runner.query(`
      CREATE TABLE devices (
        device_id text PRIMARY KEY,
        epoch integer NOT NULL DEFAULT 0 CHECK (epoch >= 0),
        min_epoch integer NOT NULL DEFAULT 0 CHECK (min_epoch >= 0),
        raised_at timestamptz,
        first_seen_at timestamptz NOT NULL DEFAULT now()
      ) WITH (fillfactor = 70)`);
    await runner.query(`
      CREATE TABLE windows (
        device_id text NOT NULL,
        stream text NOT NULL,
        epoch integer NOT NULL,
        highest bigint NOT NULL CHECK (highest > 0),
        bits bytea NOT NULL CHECK (octet_length(bits) = 128),
        PRIMARY KEY (device_id, stream, epoch)
      ) WITH (fillfactor = 50)`);
    // (device_id, stream, epoch, seq) is unique though no index says so: a row is added only together with the bit of its number,
    // under the lock of its device, and the bit was clear (docs/decisions/0003-group-commit.md).
    await runner.query(`
      CREATE TABLE messages (
        device_id text NOT NULL,
        received_at timestamptz NOT NULL,
        stream text NOT NULL,
        epoch integer NOT NULL,
        seq bigint NOT NULL,
        ts double precision NOT NULL,
        thumbprint text NOT NULL,
        canonical_sha256 bytea NOT NULL,
        signature text NOT NULL,
        payload bytea NOT NULL,
        PRIMARY KEY (device_id, received_at, stream, epoch, seq)
      ) PARTITION BY RANGE (received_at)`);
    await runner.query('CREATE INDEX messages_by_time ON messages (received_at, device_id, stream, epoch, seq)');
    await appendOnly(runner, 'messages');
    await runner.query('CREATE TABLE messages_default PARTITION OF messages DEFAULT');
    await refuseTruncate(runner, 'messages_default');
    await runner.query(makePartitions(schema));
    await runner.query('REVOKE ALL ON FUNCTION make_partitions(integer) FROM PUBLIC');
    await runner.query(`GRANT EXECUTE ON FUNCTION make_partitions(integer) TO "${schema}"`);
    await runner.query('SELECT make_partitions(7)');
    await grantRuntime(runner, 'devices', ['SELECT', 'INSERT', 'UPDATE']);
    await grantRuntime(runner, 'windows', ['SELECT', 'INSERT', 'UPDATE']);
    await grantRuntime(runner, 'messages', ['SELECT', 'INSERT']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

/** Row triggers pass from a partitioned table to its partitions; those on TRUNCATE do not. */
async function refuseTruncate(runner: QueryRunner, table: string): Promise<void> {
  await runner.query(`
    CREATE TRIGGER "${table}_no_truncate" BEFORE TRUNCATE ON "${table}"
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`);
}

/**
 * Makes the missing partitions from today (UTC) on, and nothing else: it runs with the owner's rights so that a service that is never
 * migrated again still has tomorrow's. A day that has rows in the default partition already keeps them there.
 */
function makePartitions(schema: string): string {
  return `
    CREATE FUNCTION make_partitions(days_ahead integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = "${schema}", pg_temp SET lock_timeout = '2s' AS $$
    DECLARE
      today date := (now() AT TIME ZONE 'UTC')::date;
      day date;
      partition text;
      made integer := 0;
    BEGIN
      IF days_ahead IS NULL OR days_ahead NOT BETWEEN 0 AND 60 THEN
        RAISE EXCEPTION 'days_ahead is 0 to 60' USING ERRCODE = 'invalid_parameter_value';
      END IF;
      PERFORM pg_advisory_xact_lock(hashtextextended('${schema}.make_partitions', 0));
      FOR step IN 0..days_ahead LOOP
        day := today + step;
        partition := 'messages_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(format('%I.%I', '${schema}', partition)) IS NOT NULL;
        BEGIN
          EXECUTE format('CREATE TABLE %I PARTITION OF messages FOR VALUES FROM (%L) TO (%L)',
            partition, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
          EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            partition || '_no_truncate', partition);
          made := made + 1;
        EXCEPTION WHEN check_violation THEN
          RAISE WARNING 'rows of % lie in messages_default', day;
        END;
      END LOOP;
      RETURN made;
    END $$`;
}
