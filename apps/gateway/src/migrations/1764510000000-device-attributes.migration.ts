import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What policies may know of vehicles: the registry's labels and attestation, their conditions by telemetry, and geofences. */
export class DeviceAttributes1764510000000 implements MigrationInterface {
  readonly name = 'DeviceAttributes1764510000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE devices ADD COLUMN attestation text, ADD COLUMN labels text[]');
    await runner.query(`
      CREATE TABLE device_attributes (
        device_id text PRIMARY KEY,
        measured_at timestamptz NOT NULL,
        speed_kmh double precision,
        longitude double precision,
        latitude double precision,
        health text
      ) WITH (fillfactor = 70)`);
    await grantRuntime(runner, 'device_attributes', ['SELECT', 'INSERT', 'UPDATE']);
    await runner.query(`
      CREATE TABLE geofences (
        name text PRIMARY KEY,
        area jsonb NOT NULL,
        required_for text[] NOT NULL,
        time_zone text,
        changed_by text NOT NULL,
        changed_at timestamptz NOT NULL
      )`);
    await grantRuntime(runner, 'geofences', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
    // A change without an area is a removal.
    await runner.query(`
      CREATE TABLE geofence_changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL,
        area jsonb,
        required_for text[],
        time_zone text,
        changed_by text NOT NULL,
        changed_at timestamptz NOT NULL
      )`);
    await appendOnly(runner, 'geofence_changes');
    await grantRuntime(runner, 'geofence_changes', ['SELECT', 'INSERT']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
