import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Signing keys, the projection of devices, certificates seen, and who got which token. */
export class TokenTables1763900000000 implements MigrationInterface {
  readonly name = 'TokenTables1763900000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE signing_keys (
        kid text PRIMARY KEY,
        state text NOT NULL CHECK (state IN ('publish', 'sign', 'retire')),
        sealed_private_key bytea NOT NULL,
        created_at timestamptz NOT NULL,
        state_changed_at timestamptz NOT NULL
      )`);
    await grantRuntime(runner, 'signing_keys', ['SELECT', 'INSERT', 'UPDATE']);

    await runner.query(`
      CREATE TABLE devices (
        device_id text PRIMARY KEY,
        state text NOT NULL,
        grants text[] NOT NULL,
        attestation text NOT NULL,
        version bigint NOT NULL,
        changed_at timestamptz NOT NULL
      )`);
    await grantRuntime(runner, 'devices', ['SELECT', 'INSERT', 'UPDATE']);

    await runner.query(`
      CREATE TABLE certificates_seen (
        thumbprint text PRIMARY KEY,
        device_id text NOT NULL,
        not_after timestamptz NOT NULL,
        seen_at timestamptz NOT NULL
      )`);
    await runner.query('CREATE INDEX certificates_seen_not_after ON certificates_seen (not_after)');
    await grantRuntime(runner, 'certificates_seen', ['SELECT', 'INSERT', 'DELETE']);

    await runner.query(`
      CREATE TABLE control_tokens (
        device_id text NOT NULL,
        jti uuid NOT NULL,
        thumbprint text NOT NULL,
        audience text NOT NULL,
        scope text NOT NULL,
        issued_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        remote_address text NOT NULL,
        trace_id text,
        PRIMARY KEY (device_id, jti)
      )`);
    await appendOnly(runner, 'control_tokens');
    await grantRuntime(runner, 'control_tokens', ['SELECT', 'INSERT']);

    await runner.query(`
      CREATE TABLE operator_accounts (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        client_id text NOT NULL UNIQUE,
        roles text[] NOT NULL,
        public_key text NOT NULL,
        enabled boolean NOT NULL DEFAULT true,
        created_at timestamptz NOT NULL DEFAULT now(),
        changed_at timestamptz NOT NULL DEFAULT now()
      )`);
    await grantRuntime(runner, 'operator_accounts', ['SELECT', 'INSERT', 'UPDATE']);

    await runner.query(`
      CREATE TABLE client_assertions (
        client_id text NOT NULL,
        jti text NOT NULL,
        expires_at timestamptz NOT NULL,
        PRIMARY KEY (client_id, jti)
      )`);
    await runner.query('CREATE INDEX client_assertions_expires_at ON client_assertions (expires_at)');
    await grantRuntime(runner, 'client_assertions', ['SELECT', 'INSERT', 'DELETE']);

    await runner.query(`
      CREATE TABLE operator_tokens (
        jti uuid PRIMARY KEY,
        account_id uuid NOT NULL REFERENCES operator_accounts,
        roles text[] NOT NULL,
        scope text NOT NULL,
        issued_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        remote_address text NOT NULL,
        trace_id text
      )`);
    await appendOnly(runner, 'operator_tokens');
    await grantRuntime(runner, 'operator_tokens', ['SELECT', 'INSERT']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
