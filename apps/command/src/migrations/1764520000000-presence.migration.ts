import { grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When a vehicle was last connected, for what is said of an unanswered command; and whether its raised epoch waits for a nonce. */
export class Presence1764520000000 implements MigrationInterface {
  readonly name = 'Presence1764520000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE presence (device_id text PRIMARY KEY, seen_at timestamptz NOT NULL)');
    await grantRuntime(runner, 'presence', ['SELECT', 'INSERT', 'UPDATE']);
    await runner.query('ALTER TABLE counters ADD COLUMN nonce_bound boolean NOT NULL DEFAULT false');
    await runner.query(
      `CREATE INDEX commands_expiring ON commands (expires_at) WHERE state IN ('queued', 'offered', 'challenged')`,
    );
    await runner.query(`CREATE INDEX commands_unanswered ON commands (released_at) WHERE state = 'released'`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
