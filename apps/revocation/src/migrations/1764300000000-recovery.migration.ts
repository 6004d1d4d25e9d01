import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Devices that two operators gave their way back (append-only), and what the registry itself wants denied. */
export class Recovery1764300000000 implements MigrationInterface {
  readonly name = 'Recovery1764300000000';

  async up(runner: QueryRunner): Promise<void> {
    // `up_to`: the last revocation that the order knew of; later ones stand.
    await runner.query(`
      CREATE TABLE device_recoveries (
        order_id uuid PRIMARY KEY,
        device_id text NOT NULL,
        kind text NOT NULL,
        up_to timestamptz,
        requested_by text NOT NULL,
        approved_by text NOT NULL,
        recovered_at timestamptz NOT NULL
      )`);
    await runner.query('CREATE INDEX device_recoveries_by_device ON device_recoveries (device_id)');
    await appendOnly(runner, 'device_recoveries');
    await grantRuntime(runner, 'device_recoveries', ['SELECT', 'INSERT']);
    // Only for devices that the registry ever had something to say about.
    await runner.query(`
      CREATE TABLE registry_words (
        device_id text PRIMARY KEY,
        version bigint NOT NULL
      )`);
    await grantRuntime(runner, 'registry_words', ['SELECT', 'INSERT', 'UPDATE']);
    await runner.query(`
      ALTER TABLE denylist_claims DROP CONSTRAINT denylist_claims_source_check,
        ADD CONSTRAINT denylist_claims_source_check
          CHECK (source IN ('revoke', 'superseded', 'request', 'lasting', 'registry', 'bucket'))`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
