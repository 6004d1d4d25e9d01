import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { daysDigest } from '../retention-sql.js';

/**
 * Every format's columns, signed batches, months instead of days, and retention with its proof. The version before goes on: what it
 * inserts is JSON, and `make_partitions(7)` still means a week.
 */
export class MonthlyPartitions1764600000000 implements MigrationInterface {
  readonly name = 'MonthlyPartitions1764600000000';

  async up(runner: QueryRunner): Promise<void> {
    const { schema } = runner.connection.options as { schema: string };
    await runner.query('LOCK TABLE messages IN ACCESS EXCLUSIVE MODE');
    // Of rows before this migration `algorithm` and `token_id` are not known.
    await runner.query(`
      ALTER TABLE messages
        ALTER COLUMN received_at SET DEFAULT now(),
        ADD COLUMN format text NOT NULL DEFAULT 'json',
        ADD COLUMN algorithm text,
        ADD COLUMN token_id text,
        ADD COLUMN batch_sha256 bytea,
        ADD COLUMN batch_index integer,
        ALTER COLUMN signature DROP NOT NULL`);
    // A batch has the time of receipt of its records: the transaction that stores them stores it.
    await runner.query(`
      CREATE TABLE batches (
        device_id text NOT NULL,
        received_at timestamptz NOT NULL DEFAULT now(),
        sha256 bytea NOT NULL,
        format text NOT NULL,
        bytes bytea NOT NULL,
        signature text,
        thumbprint text NOT NULL,
        PRIMARY KEY (device_id, received_at, sha256)
      ) PARTITION BY RANGE (received_at)`);
    await appendOnly(runner, 'batches');
    await runner.query('CREATE TABLE batches_default PARTITION OF batches DEFAULT');
    await runner.query(`
      CREATE TRIGGER batches_default_no_truncate BEFORE TRUNCATE ON batches_default
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`);
    await runner.query(`
      CREATE TABLE retention_rules (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        keep_days integer CHECK (keep_days > 0),
        set_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE TABLE retired_partitions (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kept_in text NOT NULL,
        partition text NOT NULL,
        from_time timestamptz NOT NULL,
        to_time timestamptz NOT NULL,
        row_count bigint NOT NULL,
        device_count bigint NOT NULL,
        first_received_at timestamptz,
        last_received_at timestamptz,
        sha256 bytea NOT NULL,
        rule_id bigint NOT NULL REFERENCES retention_rules,
        keep_days integer NOT NULL,
        retired_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`);
    await appendOnly(runner, 'retention_rules');
    await appendOnly(runner, 'retired_partitions');
    await runner.query(dropEmptyDays());
    for (const statement of [makeMonths(schema), makePartitions(schema), contentDigest(schema), retire(schema)]) {
      await runner.query(statement);
    }
    for (const name of ['make_months(text, timestamptz)', 'content_sha256(text, text)', 'retire_partition()']) {
      await runner.query(`REVOKE ALL ON FUNCTION ${name} FROM PUBLIC`);
    }
    await runner.query(`GRANT EXECUTE ON FUNCTION retire_partition() TO "${schema}"`);
    await runner.query('SELECT make_partitions(45)');
    await grantRuntime(runner, 'batches', ['SELECT', 'INSERT']);
    await grantRuntime(runner, 'retention_rules', ['SELECT']);
    await grantRuntime(runner, 'retired_partitions', ['SELECT']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

/** Days that hold nothing make room for months; the others stay until retention takes them. */
function dropEmptyDays(): string {
  return `
    DO $$
    DECLARE
      partition regclass;
      holds_rows boolean;
    BEGIN
      FOR partition IN
        SELECT inhrelid::regclass FROM pg_inherits
        WHERE inhparent = 'messages'::regclass AND inhrelid::regclass::text ~ '^messages_\\d{8}$'
      LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', partition) INTO holds_rows;
        IF NOT holds_rows THEN EXECUTE format('DROP TABLE %s', partition); END IF;
      END LOOP;
    END $$`;
}

const boundary = (side: 'FROM' | 'TO', relation = 'c') =>
  `(regexp_match(pg_get_expr(${relation}.relpartbound, ${relation}.oid), '${side} \\(''([^'']+)''\\)'))[1]::timestamptz`;

/** Makes the months of one table, from where its partitions end, or from this month's beginning, until \`ahead\` lies in one. */
function makeMonths(schema: string): string {
  return `
    CREATE FUNCTION make_months(parent text, ahead timestamptz) RETURNS integer
    LANGUAGE plpgsql SET search_path = "${schema}", pg_temp SET timezone = 'UTC' AS $$
    DECLARE
      month timestamptz := date_trunc('month', now());
      month_end timestamptz;
      lower_bound timestamptz;
      partition text;
      strays boolean;
      made integer := 0;
    BEGIN
      WHILE month <= ahead LOOP
        month_end := month + interval '1 month';
        SELECT greatest(month, max(least(${boundary('TO')}, month_end))) INTO lower_bound
          FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
          WHERE i.inhparent = parent::regclass AND ${boundary('FROM')} < month_end;
        partition := parent || '_' || to_char(month, 'YYYYMM');
        IF lower_bound < month_end AND to_regclass(partition) IS NULL THEN
          EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE received_at >= %L AND received_at < %L)',
            parent || '_default', lower_bound, month_end) INTO strays;
          BEGIN
            IF strays THEN
              -- The rows of a month that had no partition: the default becomes it, and a new default is made.
              EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent, parent || '_default');
              EXECUTE format('ALTER TABLE %I RENAME TO %I', parent || '_default', partition);
              EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                parent, partition, lower_bound, month_end);
              EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', parent || '_default', parent);
              EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
                parent || '_default_no_truncate', parent || '_default');
            ELSE
              EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                partition, parent, lower_bound, month_end);
              EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
                partition || '_no_truncate', partition);
            END IF;
            made := made + 1;
          EXCEPTION WHEN check_violation THEN
            RAISE WARNING 'rows of % and of other months lie in the default partition', partition;
          END;
        END IF;
        month := month_end;
      END LOOP;
      RETURN made;
    END $$`;
}

/** Takes the place of the one that made days. With the owner's rights: a service that is never migrated again still has next month's. */
function makePartitions(schema: string): string {
  return `
    CREATE OR REPLACE FUNCTION make_partitions(days_ahead integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = "${schema}", pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
    BEGIN
      IF days_ahead IS NULL OR days_ahead NOT BETWEEN 0 AND 400 THEN
        RAISE EXCEPTION 'days_ahead is 0 to 400' USING ERRCODE = 'invalid_parameter_value';
      END IF;
      PERFORM pg_advisory_xact_lock(hashtextextended('${schema}.make_partitions', 0));
      RETURN make_months('messages', now() + days_ahead * interval '1 day')
        + make_months('batches', now() + days_ahead * interval '1 day');
    END $$`;
}

/**
 * SHA-256 over what a table holds, as `daysDigest` says; in order of receipt, stream, epoch, seq (batches: receipt, digest).
 */
function contentDigest(schema: string): string {
  return `
    CREATE FUNCTION content_sha256(parent text, partition text) RETURNS bytea
    LANGUAGE plpgsql SET search_path = "${schema}", pg_temp SET timezone = 'UTC' AS $$
    DECLARE
      digest bytea;
      named text := CASE parent WHEN 'messages' THEN 'canonical_sha256' ELSE 'sha256' END;
      ordered text := CASE parent WHEN 'messages' THEN 'received_at, stream COLLATE "C", epoch, seq' ELSE 'received_at, sha256' END;
    BEGIN
      EXECUTE format($q$${daysDigest('')} $q$, named, ordered, partition) INTO digest;
      RETURN digest;
    END $$`;
}

/**
 * Drops the oldest partition that the rule in force has outlived and keeps the proof of it, in one transaction; gives the proof's id, null
 * when there is none. The rule is the owner's: whoever holds the runtime role can bring nothing forward.
 */
function retire(schema: string): string {
  return `
    CREATE FUNCTION retire_partition() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = "${schema}", pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
    DECLARE
      rule retention_rules;
      parent text;
      partition text;
      lower_bound timestamptz;
      upper_bound timestamptz;
      proof bigint;
    BEGIN
      IF NOT pg_try_advisory_xact_lock(hashtextextended('${schema}.retire_partition', 0)) THEN RETURN NULL; END IF;
      SELECT * INTO rule FROM retention_rules ORDER BY id DESC LIMIT 1;
      IF rule.keep_days IS NULL THEN RETURN NULL; END IF;
      SELECT p.relname, c.relname, ${boundary('FROM')}, ${boundary('TO')} INTO parent, partition, lower_bound, upper_bound
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        WHERE i.inhparent IN ('messages'::regclass, 'batches'::regclass)
          AND ${boundary('TO')} <= now() - rule.keep_days * interval '1 day'
        ORDER BY ${boundary('TO')}, p.relname LIMIT 1;
      IF partition IS NULL THEN RETURN NULL; END IF;
      -- Readers go on while it is counted; nothing comes in between the count and the drop.
      EXECUTE format('LOCK TABLE %I IN SHARE MODE', partition);
      EXECUTE format($q$
        INSERT INTO retired_partitions (kept_in, partition, from_time, to_time, row_count, device_count, first_received_at,
          last_received_at, sha256, rule_id, keep_days)
        SELECT $1, $2, $3, $4, count(*), count(DISTINCT device_id), min(received_at), max(received_at), content_sha256($1, $2), $5, $6
        FROM %I RETURNING id $q$, partition)
        INTO proof USING parent, partition, lower_bound, upper_bound, rule.id, rule.keep_days;
      EXECUTE format('DROP TABLE %I', partition);
      RETURN proof;
    END $$`;
}
