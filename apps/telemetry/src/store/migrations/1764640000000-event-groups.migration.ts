import { grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Events by commit instead of one by one (docs/decisions/0008-telemetry-hot-path.md), and an index by time that costs an insert less. */
export class EventGroups1764640000000 implements MigrationInterface {
  readonly name = 'EventGroups1764640000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE event_groups (
        id uuid PRIMARY KEY,
        events bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 20000)`);
    // Gone in a moment: compressing it would cost more than writing it.
    await runner.query('ALTER TABLE event_groups ALTER COLUMN events SET STORAGE EXTERNAL');
    await grantRuntime(runner, 'event_groups', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
    // Records of one commit have one time: the key is held once for all of them, and what comes after it is sorted when it is read.
    await runner.query('CREATE INDEX messages_received_at ON messages (received_at)');
    await runner.query('DROP INDEX messages_by_time');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
