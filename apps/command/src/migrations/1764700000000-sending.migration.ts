import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Answers kept by their keys, commands for later, batches of commands, what each step stood on, and the labels that a batch chooses by.
 * `txid` orders the history as it became visible: `id` alone is given before the commit, and a reader would step over a late one.
 */
export class Sending1764700000000 implements MigrationInterface {
  readonly name = 'Sending1764700000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE commands ADD COLUMN not_before timestamptz, ADD COLUMN batch_id uuid');
    await runner.query('CREATE INDEX commands_by_batch ON commands (batch_id, position) WHERE batch_id IS NOT NULL');
    await runner.query(
      `CREATE INDEX commands_due ON commands (not_before) WHERE not_before IS NOT NULL AND state = 'queued'`,
    );
    await runner.query(`
      ALTER TABLE command_history ADD COLUMN evidence jsonb,
        ADD COLUMN txid xid8 NOT NULL DEFAULT pg_current_xact_id()`);
    await runner.query('CREATE INDEX command_history_by_tx ON command_history (txid, id)');
    await runner.query('ALTER TABLE idempotency_keys ADD COLUMN answer text, ALTER COLUMN command_id DROP NOT NULL');
    await runner.query('CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at)');
    await runner.query('ALTER TABLE devices ADD COLUMN labels text[]');
    await runner.query('CREATE INDEX devices_by_labels ON devices USING gin (labels)');
    await runner.query('CREATE INDEX devices_without_labels ON devices (device_id) WHERE labels IS NULL');
    await runner.query(`
      CREATE TABLE batches (
        id uuid PRIMARY KEY,
        position bigint GENERATED ALWAYS AS IDENTITY,
        name text NOT NULL,
        parameters jsonb NOT NULL,
        critical boolean NOT NULL,
        target jsonb NOT NULL,
        matched integer NOT NULL,
        state text NOT NULL,
        requested_by text NOT NULL,
        requested_identity text,
        requested_as jsonb NOT NULL,
        evidence jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        approval_expires_at timestamptz,
        not_before timestamptz,
        expiry_seconds integer NOT NULL,
        timeout_seconds integer NOT NULL,
        started_at timestamptz
      )`);
    await runner.query('CREATE INDEX batches_by_position ON batches (position)');
    await runner.query(
      `CREATE INDEX batches_open ON batches (position) WHERE state IN ('awaiting_approval', 'running')`,
    );
    await runner.query(`
      CREATE TABLE batch_devices (
        batch_id uuid NOT NULL REFERENCES batches (id),
        device_id text NOT NULL,
        state text NOT NULL,
        code text,
        detail text,
        command_id uuid,
        PRIMARY KEY (batch_id, device_id)
      )`);
    await runner.query(
      `CREATE INDEX batch_devices_pending ON batch_devices (batch_id, device_id) WHERE state = 'pending'`,
    );
    await runner.query(`
      CREATE TABLE batch_history (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        batch_id uuid NOT NULL REFERENCES batches (id),
        state text NOT NULL,
        who text,
        reason text,
        at timestamptz NOT NULL,
        evidence jsonb
      )`);
    await runner.query('CREATE INDEX batch_history_by_batch ON batch_history (batch_id, id)');
    await appendOnly(runner, 'batch_history');
    await grantRuntime(runner, 'batches', ['SELECT', 'INSERT', 'UPDATE']);
    await grantRuntime(runner, 'batch_devices', ['SELECT', 'INSERT', 'UPDATE']);
    await grantRuntime(runner, 'batch_history', ['SELECT', 'INSERT']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
