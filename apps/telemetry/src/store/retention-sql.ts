/** SQL of retention that more than one migration needs: the digest of what is dropped, and how months of offline logs end. */

/**
 * The statement, for `format` with a column (%1$I), an order (%2$s) and a table (%3$I), of SHA-256 over what a table holds, in three levels
 * so that no step holds more than a day of one device: of a device's day its digests in order; of a day "device:count:hex;" for each in
 * order; of all "day:hex;".
 * @param where which of the rows, with its key word; empty for all
 */
export function daysDigest(where: string): string {
  return `
        WITH device_days AS (
          SELECT received_at::date AS day, device_id, count(*) AS n, sha256(string_agg(%1$I, ''::bytea ORDER BY %2$s)) AS digest
          FROM %3$I ${where} GROUP BY 1, 2
        ), days AS (
          SELECT day, sha256(convert_to(
            string_agg(device_id || ':' || n || ':' || encode(digest, 'hex') || ';', '' ORDER BY device_id COLLATE "C"), 'UTF8')) AS digest
          FROM device_days GROUP BY day
        )
        SELECT sha256(convert_to(coalesce(string_agg(day || ':' || encode(digest, 'hex') || ';', '' ORDER BY day), ''), 'UTF8'))
        FROM days`;
}

/**
 * Deletes the oldest month of one of the tables that the rule in force has outlived, and keeps the proof of it, in one transaction; gives
 * the proof's id, null when there is none. The tables are not partitioned, since their keys make a number single: the trigger against
 * deleting is off for the owner within this transaction alone, which nobody else sees.
 */
export function retireLogs(schema: string): string {
  return `
    CREATE OR REPLACE FUNCTION retire_logs() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = "${schema}", pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
    DECLARE
      rule retention_rules;
      name text;
      first_month timestamptz;
      outlived timestamptz;
      kept text;
      month timestamptz;
      proof bigint;
    BEGIN
      IF NOT pg_try_advisory_xact_lock(hashtextextended('${schema}.retire_partition', 0)) THEN RETURN NULL; END IF;
      SELECT * INTO rule FROM retention_rules ORDER BY id DESC LIMIT 1;
      IF rule.keep_days IS NULL THEN RETURN NULL; END IF;
      outlived := date_trunc('month', now() - rule.keep_days * interval '1 day');
      FOREACH name IN ARRAY ARRAY['log_records', 'log_segments', 'log_heads'] LOOP
        -- Bounded by the end of what is let go: where there is nothing, the index says so.
        EXECUTE format('SELECT date_trunc(''month'', min(received_at)) FROM %I WHERE received_at < $1', name) INTO first_month USING outlived;
        IF first_month IS NOT NULL AND (month IS NULL OR first_month < month) THEN
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
