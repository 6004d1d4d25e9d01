import { grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Rotations1764200000000 implements MigrationInterface {
  readonly name = 'Rotations1764200000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE rotations (
        rotation_id uuid PRIMARY KEY,
        label text,
        est_label text,
        within_seconds integer NOT NULL CHECK (within_seconds > 0),
        waves integer NOT NULL CHECK (waves > 0),
        reason text NOT NULL,
        created_by text NOT NULL,
        started_at timestamptz NOT NULL,
        selected integer NOT NULL,
        cancelled_at timestamptz,
        cancelled_by text
      )`);
    await runner.query('CREATE INDEX rotations_by_time ON rotations (started_at, rotation_id)');
    // device_id leads the key that vehicles' questions are answered by.
    await runner.query(`
      CREATE TABLE rotation_devices (
        device_id text NOT NULL,
        rotation_id uuid NOT NULL,
        wave integer NOT NULL,
        last_asked_at timestamptz,
        renewed_at timestamptz,
        PRIMARY KEY (device_id, rotation_id)
      )`);
    await runner.query('CREATE INDEX rotation_devices_by_rotation ON rotation_devices (rotation_id, device_id)');
    await runner.query(
      'CREATE INDEX rotation_devices_open ON rotation_devices (rotation_id, device_id) WHERE renewed_at IS NULL',
    );
    await grantRuntime(runner, 'rotations', ['SELECT', 'INSERT', 'UPDATE']);
    await grantRuntime(runner, 'rotation_devices', ['SELECT', 'INSERT', 'UPDATE']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
