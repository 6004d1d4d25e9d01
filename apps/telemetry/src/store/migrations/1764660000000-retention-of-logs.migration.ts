import type { MigrationInterface, QueryRunner } from 'typeorm';
import { daysDigest, retireLogs } from '../retention-sql.js';

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
      EXECUTE format($q$${daysDigest('WHERE received_at >= $1 AND received_at < $2')} $q$, named, ordered, kept) INTO digest USING from_time, to_time;
      RETURN digest;
    END $$`;
}
