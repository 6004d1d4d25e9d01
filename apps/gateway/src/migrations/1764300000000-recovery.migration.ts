import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Devices that two operators gave their way back: a compromise they knew of holds no block any more. */
export class Recovery1764300000000 implements MigrationInterface {
  readonly name = 'Recovery1764300000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE recovered_devices (
        order_id uuid PRIMARY KEY,
        device_id text NOT NULL,
        up_to timestamptz,
        recovered_at timestamptz NOT NULL
      )`);
    await runner.query('CREATE INDEX recovered_devices_by_device ON recovered_devices (device_id)');
    await appendOnly(runner, 'recovered_devices');
    await grantRuntime(runner, 'recovered_devices', ['SELECT', 'INSERT']);
    // A second compromise, after a recovery, is another one.
    await runner.query(`
      ALTER TABLE revoked_devices DROP CONSTRAINT revoked_devices_pkey, ADD PRIMARY KEY (device_id, reason, revoked_at)`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
