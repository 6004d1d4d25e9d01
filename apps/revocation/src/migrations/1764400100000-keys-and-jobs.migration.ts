import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keys that were named themselves (append-only), and revocations that are work for a while or for later: files, wide targets, schedules. */
export class KeysAndJobs1764400100000 implements MigrationInterface {
  readonly name = 'KeysAndJobs1764400100000';

  async up(runner: QueryRunner): Promise<void> {
    await keys(runner);
    await jobs(runner);
    await lines(runner);
    await runner.query('CREATE INDEX revocations_by_device ON revocations (device_id)');
    // A serial number is looked for with its issuer, and without one.
    await runner.query('DROP INDEX revocations_by_serial');
    await runner.query('CREATE INDEX revocations_by_serial ON revocations (serial_number, issuer_key_id)');
    await runner.query('CREATE INDEX status_changes_by_list ON status_changes (issuer_key_id, crl_shard, id)');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

async function keys(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE key_revocations (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      key_thumbprint text NOT NULL,
      reason text NOT NULL,
      revoked_at timestamptz NOT NULL,
      revoked_by text NOT NULL,
      trace_id text
    )`);
  await runner.query('CREATE INDEX key_revocations_by_key ON key_revocations (key_thumbprint)');
  await appendOnly(runner, 'key_revocations');
  await grantRuntime(runner, 'key_revocations', ['SELECT', 'INSERT']);
  await runner.query(`
    ALTER TABLE hold_releases
      ADD COLUMN key_revocation_id bigint UNIQUE,
      ADD COLUMN key_thumbprint text,
      DROP CONSTRAINT hold_releases_check,
      ADD CONSTRAINT hold_releases_check CHECK (num_nonnulls(revocation_id, device_revocation_id, key_revocation_id) = 1)`);
}

async function jobs(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE jobs (
      id uuid PRIMARY KEY,
      position bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
      action text NOT NULL CHECK (action IN ('revoke', 'release')),
      target jsonb NOT NULL,
      reason text,
      note text,
      force boolean NOT NULL,
      dry_run boolean NOT NULL,
      state text NOT NULL CHECK (state IN ('receiving', 'waiting', 'resolving', 'running', 'done', 'cancelled', 'failed')),
      requested_by text NOT NULL,
      requested_as jsonb NOT NULL,
      elevation text,
      trace_id text,
      created_at timestamptz NOT NULL,
      not_before timestamptz,
      started_at timestamptz,
      finished_at timestamptz,
      finished_by text,
      body_sha256 text,
      cursor text,
      lines integer NOT NULL DEFAULT 0,
      counts jsonb NOT NULL DEFAULT '{}',
      sequence bigint NOT NULL DEFAULT 0,
      trouble text,
      runner text,
      leased_until timestamptz,
      turn_at timestamptz,
      resume_at timestamptz
    )`);
  await runner.query(
    `CREATE INDEX jobs_open ON jobs (position) WHERE state IN ('receiving', 'waiting', 'resolving', 'running')`,
  );
  await runner.query('CREATE INDEX jobs_by_requester ON jobs (requested_by, created_at)');
  await runner.query(`CREATE INDEX jobs_by_issuer ON jobs ((target ->> 'issuer')) WHERE target ? 'issuer'`);
  await grantRuntime(runner, 'jobs', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
}

/** One thing each that a job names. `outcome`: null until it is settled. */
async function lines(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE job_lines (
      job_id uuid NOT NULL,
      line integer NOT NULL,
      kind text NOT NULL,
      value text NOT NULL,
      outcome text,
      detail text,
      again_at timestamptz,
      PRIMARY KEY (job_id, line)
    )`);
  await runner.query('CREATE INDEX job_lines_by_value ON job_lines (value) WHERE outcome IS NULL');
  await runner.query('CREATE INDEX job_lines_left ON job_lines (job_id, line) WHERE outcome IS NULL');
  await grantRuntime(runner, 'job_lines', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
}
