import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Issued certificates as a projection, what was revoked (append-only), the denylist, and the CRLs. */
export class RevocationTables1764000000000 implements MigrationInterface {
  readonly name = 'RevocationTables1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    await certificates(runner);
    await revocations(runner);
    await denylist(runner);
    await crls(runner);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

async function certificates(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE certificates (
      thumbprint text PRIMARY KEY,
      issuer_key_id text NOT NULL,
      serial_number text NOT NULL,
      key_thumbprint text NOT NULL,
      device_id text,
      not_before timestamptz NOT NULL,
      not_after timestamptz NOT NULL,
      renewed_from text,
      UNIQUE (issuer_key_id, serial_number)
    )`);
  for (const column of ['serial_number', 'key_thumbprint', 'device_id']) {
    await runner.query(`CREATE INDEX certificates_by_${column} ON certificates (${column})`);
  }
  await grantRuntime(runner, 'certificates', ['SELECT', 'INSERT', 'UPDATE']);
}

async function revocations(runner: QueryRunner): Promise<void> {
  // Several rows for one certificate: the first is its revocation, a later keyCompromise makes it graver.
  await runner.query(`
    CREATE TABLE revocations (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      thumbprint text,
      issuer_key_id text,
      serial_number text,
      key_thumbprint text,
      device_id text,
      not_after timestamptz,
      crl_shard integer,
      reason text NOT NULL,
      revoked_at timestamptz NOT NULL,
      revoked_by text NOT NULL,
      trace_id text,
      CHECK (thumbprint IS NOT NULL OR (issuer_key_id IS NOT NULL AND serial_number IS NOT NULL))
    )`);
  await runner.query('CREATE INDEX revocations_by_thumbprint ON revocations (thumbprint)');
  await runner.query('CREATE INDEX revocations_by_serial ON revocations (issuer_key_id, serial_number)');
  await runner.query('CREATE INDEX revocations_by_key ON revocations (key_thumbprint)');
  await runner.query('CREATE INDEX revocations_by_shard ON revocations (crl_shard, not_after)');
  await runner.query(`
    CREATE TABLE device_revocations (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      device_id text NOT NULL,
      reason text NOT NULL,
      revoked_at timestamptz NOT NULL,
      revoked_by text NOT NULL,
      trace_id text
    )`);
  await runner.query('CREATE INDEX device_revocations_by_device ON device_revocations (device_id)');
  for (const table of ['revocations', 'device_revocations']) {
    await appendOnly(runner, table);
    await grantRuntime(runner, table, ['SELECT', 'INSERT']);
  }
}

async function denylist(runner: QueryRunner): Promise<void> {
  // One row, locked by whoever changes the list: sequences come in the order of the commits.
  await runner.query(`
    CREATE TABLE denylist_state (
      only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
      generation bigint NOT NULL,
      sequence bigint NOT NULL
    )`);
  await runner.query('INSERT INTO denylist_state (generation, sequence) VALUES (0, 0)');
  await grantRuntime(runner, 'denylist_state', ['SELECT', 'UPDATE']);
  // Who wants an entry and why; an entry stands as long as anyone claims it.
  await runner.query(`
    CREATE TABLE denylist_claims (
      kind text NOT NULL,
      value text NOT NULL,
      source text NOT NULL CHECK (source IN ('revoke', 'superseded', 'request', 'bucket')),
      mode text NOT NULL CHECK (mode IN ('deny', 'recovery')),
      reason text NOT NULL,
      until timestamptz,
      PRIMARY KEY (kind, value, source)
    )`);
  await grantRuntime(runner, 'denylist_claims', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
  await runner.query(`
    CREATE TABLE denylist_entries (
      kind text NOT NULL,
      value text NOT NULL,
      mode text NOT NULL,
      reason text NOT NULL,
      until timestamptz,
      removed boolean NOT NULL,
      sequence bigint NOT NULL,
      changed_at timestamptz NOT NULL,
      PRIMARY KEY (kind, value)
    )`);
  await runner.query('CREATE INDEX denylist_entries_by_sequence ON denylist_entries (sequence)');
  await runner.query('CREATE INDEX denylist_entries_by_until ON denylist_entries (until) WHERE NOT removed');
  await runner.query('CREATE INDEX denylist_entries_removed ON denylist_entries (changed_at) WHERE removed');
  await grantRuntime(runner, 'denylist_entries', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
}

async function crls(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE crl_numbers (
      shard integer PRIMARY KEY,
      number bigint NOT NULL
    )`);
  await runner.query(`
    CREATE FUNCTION refuse_lower_number() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.number <= OLD.number THEN
        RAISE EXCEPTION 'CRL numbers go forward only' USING ERRCODE = 'insufficient_privilege';
      END IF;
      RETURN NEW;
    END $$`);
  await runner.query(`
    CREATE TABLE crls (
      shard integer PRIMARY KEY,
      number bigint NOT NULL,
      der bytea NOT NULL,
      next_update timestamptz NOT NULL,
      published_at timestamptz NOT NULL
    )`);
  for (const table of ['crl_numbers', 'crls']) {
    await runner.query(`
      CREATE TRIGGER "${table}_forward" BEFORE UPDATE ON "${table}"
      FOR EACH ROW EXECUTE FUNCTION refuse_lower_number()`);
    await grantRuntime(runner, table, ['SELECT', 'INSERT', 'UPDATE']);
  }
}
