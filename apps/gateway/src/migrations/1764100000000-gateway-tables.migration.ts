import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Blocks with their history, what is known of devices, and the decision log (append-only). */
export class GatewayTables1764100000000 implements MigrationInterface {
  readonly name = 'GatewayTables1764100000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE devices (
        device_id text PRIMARY KEY,
        state text NOT NULL,
        version bigint NOT NULL
      )`);
    await grantRuntime(runner, 'devices', ['SELECT', 'INSERT', 'UPDATE']);
    await runner.query(`
      CREATE TABLE revoked_devices (
        device_id text NOT NULL,
        reason text NOT NULL,
        revoked_at timestamptz NOT NULL,
        PRIMARY KEY (device_id, reason)
      )`);
    await appendOnly(runner, 'revoked_devices');
    await grantRuntime(runner, 'revoked_devices', ['SELECT', 'INSERT']);
    await blocks(runner);
    await decisions(runner);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

async function blocks(runner: QueryRunner): Promise<void> {
  // `delivered_version` < `version`: revocation has not yet taken this state over.
  await runner.query(`
    CREATE TABLE blocks (
      device_id text PRIMARY KEY,
      blocked boolean NOT NULL,
      mode text NOT NULL CHECK (mode IN ('deny', 'recovery')),
      reason text NOT NULL,
      thumbprint text,
      changed_by text NOT NULL,
      changed_at timestamptz NOT NULL,
      version bigint NOT NULL,
      delivered_version bigint NOT NULL
    )`);
  await runner.query('CREATE INDEX blocks_undelivered ON blocks (changed_at) WHERE delivered_version < version');
  await grantRuntime(runner, 'blocks', ['SELECT', 'INSERT', 'UPDATE']);
  await runner.query(`
    CREATE TABLE block_changes (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      device_id text NOT NULL,
      blocked boolean NOT NULL,
      mode text NOT NULL,
      reason text NOT NULL,
      thumbprint text,
      changed_by text NOT NULL,
      changed_at timestamptz NOT NULL,
      trace_id text
    )`);
  await runner.query('CREATE INDEX block_changes_by_device ON block_changes (device_id, id)');
  await appendOnly(runner, 'block_changes');
  await grantRuntime(runner, 'block_changes', ['SELECT', 'INSERT']);
}

async function decisions(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE decisions (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      stream_sequence bigint NOT NULL,
      service text NOT NULL,
      instance text NOT NULL,
      decision text NOT NULL,
      code text NOT NULL,
      listener text NOT NULL,
      action text NOT NULL,
      device_id text,
      thumbprint text,
      subject text,
      remote_address text,
      detail text,
      trace_id text,
      count bigint NOT NULL,
      since timestamptz NOT NULL,
      at timestamptz NOT NULL,
      received_at timestamptz NOT NULL DEFAULT now(),
      UNIQUE (stream_sequence, instance, at)
    )`);
  for (const column of ['device_id', 'code', 'service']) {
    await runner.query(`CREATE INDEX decisions_by_${column} ON decisions (${column}, id)`);
  }
  await appendOnly(runner, 'decisions');
  await grantRuntime(runner, 'decisions', ['SELECT', 'INSERT']);
}
