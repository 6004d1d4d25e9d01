import { grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Refused and repeated messages by device, hour and verdict: what the messages themselves do not tell. */
export class VerdictCounts1764620000000 implements MigrationInterface {
  readonly name = 'VerdictCounts1764620000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE verdict_counts (
        device_id text NOT NULL,
        hour timestamptz NOT NULL,
        verdict text NOT NULL,
        count bigint NOT NULL,
        last_at timestamptz NOT NULL,
        PRIMARY KEY (device_id, hour, verdict)
      ) WITH (fillfactor = 70)`);
    await grantRuntime(runner, 'verdict_counts', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
