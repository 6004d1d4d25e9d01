import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Commands, their history, idempotency keys, counters and the projection of devices. `device_id` leads what is read by device. */
export class Commands1763803000000 implements MigrationInterface {
  readonly name = 'Commands1763803000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE commands (
        id uuid PRIMARY KEY,
        device_id text NOT NULL,
        position bigint GENERATED ALWAYS AS IDENTITY,
        name text NOT NULL,
        parameters jsonb NOT NULL,
        critical boolean NOT NULL,
        state text NOT NULL,
        requested_by text NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        timeout_seconds integer NOT NULL,
        nonce text,
        jws text,
        released_at timestamptz,
        resolved_at timestamptz,
        reason text
      )`);
    await runner.query(`
      CREATE INDEX commands_open ON commands (device_id, position) WHERE state IN ('queued', 'offered', 'challenged', 'released')`);
    await runner.query('CREATE INDEX commands_by_device ON commands (device_id, position DESC)');
    await runner.query(`
      CREATE TABLE command_history (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        command_id uuid NOT NULL REFERENCES commands (id),
        state text NOT NULL,
        at timestamptz NOT NULL,
        reason text
      )`);
    await runner.query('CREATE INDEX command_history_by_command ON command_history (command_id, id)');
    await runner.query(`
      CREATE TABLE outcomes (
        command_id uuid PRIMARY KEY REFERENCES commands (id),
        jws text NOT NULL,
        thumbprint text NOT NULL,
        result text NOT NULL,
        detail text,
        data jsonb,
        executed_at timestamptz NOT NULL,
        received_at timestamptz NOT NULL
      )`);
    await runner.query(`
      CREATE TABLE idempotency_keys (
        requested_by text NOT NULL,
        key text NOT NULL,
        body_sha256 text NOT NULL,
        command_id uuid NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (requested_by, key)
      )`);
    await runner.query(`
      CREATE TABLE counters (
        device_id text PRIMARY KEY,
        epoch integer NOT NULL,
        counter bigint NOT NULL
      )`);
    await runner.query(`
      CREATE TABLE devices (
        device_id text PRIMARY KEY,
        state text NOT NULL,
        grants text[] NOT NULL,
        version integer NOT NULL
      )`);
    await appendOnly(runner, 'command_history');
    await appendOnly(runner, 'outcomes');
    await grantRuntime(runner, 'commands', ['SELECT', 'INSERT', 'UPDATE']);
    await grantRuntime(runner, 'command_history', ['SELECT', 'INSERT']);
    await grantRuntime(runner, 'outcomes', ['SELECT', 'INSERT']);
    await grantRuntime(runner, 'idempotency_keys', ['SELECT', 'INSERT', 'DELETE']);
    await grantRuntime(runner, 'counters', ['SELECT', 'INSERT', 'UPDATE']);
    await grantRuntime(runner, 'devices', ['SELECT', 'INSERT', 'UPDATE']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
