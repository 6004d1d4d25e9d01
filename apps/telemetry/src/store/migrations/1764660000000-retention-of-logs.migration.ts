import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What offline logs brought is read in order of receipt, and ends by the rule that ends messages, with the same proof. */
export class RetentionOfLogs1764660000000 implements MigrationInterface {
  readonly name = 'RetentionOfLogs1764660000000';

  async up(runner: QueryRunner): Promise<void> {
    const { schema } = runner.connection.options as { schema: string };
    await runner.query(
      'CREATE INDEX log_records_by_receipt ON log_records (device_id, received_at, stream, epoch, seq)',
    );
    await runner.query(logsDigest(schema));
    await runner.query(retireLogs(schema));
    for (const name of ['logs_sha256(text, timestamptz, timestamptz)', 'retire_logs()']) {
      await runner.query(`REVOKE ALL ON FUNCTION ${name} FROM PUBLIC`);
    }
    await runner.query(`GRANT EXECUTE ON FUNCTION retire_logs() TO "${schema}"`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

/**
 * SHA-256 over what a month of one of the tables holds, in three levels as \`content_sha256\`: of a device's day its digests in order
 * (records: receipt, stream, epoch, seq; segments: receipt, order, log, segment; heads: receipt, log, segment).
 */
function logsDigest(schema: string): string {
  return `
    CREATE FUNCTION logs_sha256(kept text, from_time timestamptz, to_time timestamptz) RETURNS bytea
    LANGUAGE plpgsql SET search_path = "${schema}", pg_temp SET timezone = 'UTC' AS $$
    DECLARE
      digest bytea;
      named text := CASE kept WHEN 'log_records' THEN 'canonical_sha256' ELSE 'head_sha256' END;
      ordered text := CASE kept WHEN 'log_records' THEN 'received_at, stream COLLATE "C", epoch, seq'
        WHEN 'log_segments' THEN 'received_at, order_id, log COLLATE "C", segment' ELSE 'received_at, log COLLATE "C", segment' END;
    BEGIN
      EXECUTE format($q$
        WITH device_days AS (
          SELECT received_at::date AS day, device_id, count(*) AS n, sha256(string_agg(%1$I, ''::bytea ORDER BY %2$s)) AS digest
          FROM %3$I WHERE received_at >= $1 AND received_at < $2 GROUP BY 1, 2
        ), days AS (
          SELECT day, sha256(convert_to(
            string_agg(device_id || ':' || n || ':' || encode(digest, 'hex') || ';', '' ORDER BY device_id COLLATE "C"), 'UTF8')) AS digest
          FROM device_days GROUP BY day
        )
        SELECT sha256(convert_to(coalesce(string_agg(day || ':' || encode(digest, 'hex') || ';', '' ORDER BY day), ''), 'UTF8'))
        FROM days $q$, named, ordered, kept) INTO digest USING from_time, to_time;
      RETURN digest;
    END $$`;
}

/**
 * Deletes the oldest month of one of the tables that the rule in force has outlived, and keeps the proof of it, in one transaction; gives
 * the proof's id, null when there is none. The tables are not partitioned, since their keys make a number single: the trigger against
 * deleting is off for the owner within this transaction alone, which nobody else sees.
 */
function retireLogs(schema: string): string {
  return `
    CREATE FUNCTION retire_logs() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = "${schema}", pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
    DECLARE
      rule retention_rules;
      name text;
      first_month timestamptz;
      kept text;
      month timestamptz;
      proof bigint;
    BEGIN
      IF NOT pg_try_advisory_xact_lock(hashtextextended('${schema}.retire_partition', 0)) THEN RETURN NULL; END IF;
      SELECT * INTO rule FROM retention_rules ORDER BY id DESC LIMIT 1;
      IF rule.keep_days IS NULL THEN RETURN NULL; END IF;
      FOREACH name IN ARRAY ARRAY['log_records', 'log_segments', 'log_heads'] LOOP
        EXECUTE format('SELECT date_trunc(''month'', min(received_at)) FROM %I', name) INTO first_month;
        IF first_month + interval '1 month' <= now() - rule.keep_days * interval '1 day' AND (month IS NULL OR first_month < month) THEN
          kept := name;
          month := first_month;
        END IF;
      END LOOP;
      IF kept IS NULL THEN RETURN NULL; END IF;
      -- Readers go on; nothing comes in between the count and the end.
      EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', kept);
      EXECUTE format($q$
        INSERT INTO retired_partitions (kept_in, partition, from_time, to_time, row_count, device_count, first_received_at,
          last_received_at, sha256, rule_id, keep_days)
        SELECT $1, $1 || to_char($2, '_YYYYMM'), $2, $3, count(*), count(DISTINCT device_id), min(received_at), max(received_at),
          logs_sha256($1, $2, $3), $4, $5
        FROM %I WHERE received_at >= $2 AND received_at < $3 RETURNING id $q$, kept)
        INTO proof USING kept, month, month + interval '1 month', rule.id, rule.keep_days;
      EXECUTE format('ALTER TABLE %I DISABLE TRIGGER %I', kept, kept || '_append_only');
      EXECUTE format('DELETE FROM %I WHERE received_at >= $1 AND received_at < $2', kept) USING month, month + interval '1 month';
      EXECUTE format('ALTER TABLE %I ENABLE TRIGGER %I', kept, kept || '_append_only');
      RETURN proof;
    END $$`;
}
