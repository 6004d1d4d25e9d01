import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Findings of clone detection (append-only) and what they are found by; enrolments held for an operator; manufacturers that are gone. */
export class FindingsAndApprovals1764400000000 implements MigrationInterface {
  readonly name = 'FindingsAndApprovals1764400000000';

  async up(runner: QueryRunner): Promise<void> {
    await findings(runner);
    await approvals(runner);
    await manufacturers(runner);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

async function findings(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE findings (
      sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      finding_id uuid NOT NULL UNIQUE,
      kind text NOT NULL,
      device_id text NOT NULL,
      about text NOT NULL,
      certain boolean NOT NULL,
      quarantined boolean NOT NULL,
      label text NOT NULL,
      thumbprints text[] NOT NULL,
      remote_addresses text[] NOT NULL,
      detail text NOT NULL,
      at timestamptz NOT NULL,
      trace_id text
    )`);
  await runner.query('CREATE INDEX findings_by_device ON findings (device_id, kind, about, at)');
  await runner.query('CREATE INDEX findings_by_kind ON findings (kind, sequence)');
  await appendOnly(runner, 'findings');
  await grantRuntime(runner, 'findings', ['SELECT', 'INSERT']);
  // One row a device: where it last asked from, and for which key.
  await runner.query(`
    CREATE TABLE last_asks (
      device_id text PRIMARY KEY,
      presented text NOT NULL,
      key_thumbprint text NOT NULL,
      remote_address text NOT NULL,
      at timestamptz NOT NULL
    )`);
  await grantRuntime(runner, 'last_asks', ['SELECT', 'INSERT', 'UPDATE']);
  await runner.query(`
    CREATE TABLE factory_keys (
      key_thumbprint text NOT NULL,
      device_id text NOT NULL,
      seen_at timestamptz NOT NULL,
      PRIMARY KEY (key_thumbprint, device_id)
    )`);
  await grantRuntime(runner, 'factory_keys', ['SELECT', 'INSERT']);
}

async function approvals(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE enrolment_approvals (
      sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      id uuid NOT NULL UNIQUE,
      manufacturer text NOT NULL,
      serial_number text NOT NULL,
      device_id text NOT NULL,
      label text NOT NULL,
      csr_sha256 text NOT NULL,
      key_thumbprint text NOT NULL,
      presented text NOT NULL,
      remote_address text NOT NULL,
      decision text NOT NULL CHECK (decision IN ('pending', 'approved', 'rejected')),
      requested_at timestamptz NOT NULL,
      expires_at timestamptz NOT NULL,
      decided_at timestamptz,
      decided_by text,
      reason text,
      used_at timestamptz
    )`);
  await runner.query('CREATE INDEX enrolment_approvals_by_device ON enrolment_approvals (device_id, expires_at)');
  await runner.query(
    `CREATE INDEX enrolment_approvals_pending ON enrolment_approvals (manufacturer, expires_at) WHERE decision = 'pending'`,
  );
  await grantRuntime(runner, 'enrolment_approvals', ['SELECT', 'INSERT', 'UPDATE']);
}

async function manufacturers(runner: QueryRunner): Promise<void> {
  await runner.query('ALTER TABLE manufacturers ADD COLUMN removed_at timestamptz');
  await runner.query(`
    CREATE TABLE manufacturer_history (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      name text NOT NULL,
      event text NOT NULL CHECK (event IN ('registered', 'changed', 'removed')),
      ca text NOT NULL,
      who text NOT NULL,
      at timestamptz NOT NULL
    )`);
  await appendOnly(runner, 'manufacturer_history');
  await grantRuntime(runner, 'manufacturer_history', ['SELECT', 'INSERT']);
}
