import { grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What people sign in with, sign-ins under way, and who has failed how often. */
export class People1764600000000 implements MigrationInterface {
  readonly name = 'People1764600000000';

  async up(runner: QueryRunner): Promise<void> {
    // A person has no key that signs assertions.
    await runner.query('ALTER TABLE operator_accounts ALTER COLUMN public_key DROP NOT NULL');

    await runner.query(`
      CREATE TABLE person_passwords (
        account_id uuid PRIMARY KEY REFERENCES operator_accounts,
        hash text NOT NULL,
        changed_at timestamptz NOT NULL DEFAULT now()
      )`);
    await grantRuntime(runner, 'person_passwords', ['SELECT', 'INSERT', 'UPDATE']);

    // last_step: of the last code that was taken. A pending secret waits for its first code beside the active one.
    await runner.query(`
      CREATE TABLE person_totps (
        account_id uuid NOT NULL REFERENCES operator_accounts,
        state text NOT NULL CHECK (state IN ('pending', 'active')),
        sealed_secret bytea NOT NULL,
        last_step bigint NOT NULL DEFAULT 0,
        changed_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (account_id, state)
      )`);
    await grantRuntime(runner, 'person_totps', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);

    await runner.query(`
      CREATE TABLE person_webauthn_credentials (
        credential_id text PRIMARY KEY,
        account_id uuid NOT NULL REFERENCES operator_accounts,
        name text NOT NULL,
        public_key bytea NOT NULL,
        counter bigint NOT NULL,
        transports text[] NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        used_at timestamptz
      )`);
    await runner.query('CREATE INDEX person_webauthn_credentials_account ON person_webauthn_credentials (account_id)');
    await grantRuntime(runner, 'person_webauthn_credentials', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);

    await runner.query(`
      CREATE TABLE person_webauthn_registrations (
        account_id uuid PRIMARY KEY REFERENCES operator_accounts,
        challenge text NOT NULL,
        expires_at timestamptz NOT NULL
      )`);
    await grantRuntime(runner, 'person_webauthn_registrations', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);

    await runner.query(`
      CREATE TABLE person_recovery_codes (
        account_id uuid NOT NULL REFERENCES operator_accounts,
        digest bytea NOT NULL,
        used_at timestamptz,
        PRIMARY KEY (account_id, digest)
      )`);
    await grantRuntime(runner, 'person_recovery_codes', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);

    await runner.query(`
      CREATE TABLE person_oidc_links (
        issuer text NOT NULL,
        subject text NOT NULL,
        account_id uuid NOT NULL REFERENCES operator_accounts,
        linked_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (issuer, subject)
      )`);
    await grantRuntime(runner, 'person_oidc_links', ['SELECT', 'INSERT', 'DELETE']);

    await runner.query(`
      CREATE TABLE sign_ins (
        id uuid PRIMARY KEY,
        account_id uuid NOT NULL REFERENCES operator_accounts,
        state text NOT NULL CHECK (state IN ('open', 'done')),
        first_amr text[] NOT NULL,
        scope text,
        challenge text,
        failures int NOT NULL DEFAULT 0,
        expires_at timestamptz NOT NULL
      )`);
    await runner.query('CREATE INDEX sign_ins_expires_at ON sign_ins (expires_at)');
    await grantRuntime(runner, 'sign_ins', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);

    // key: SHA-256 of what failed; nobody reads names or addresses from it.
    await runner.query(`
      CREATE TABLE sign_in_failures (
        key bytea PRIMARY KEY,
        count int NOT NULL,
        failed_at timestamptz NOT NULL
      )`);
    await runner.query('CREATE INDEX sign_in_failures_failed_at ON sign_in_failures (failed_at)');
    await grantRuntime(runner, 'sign_in_failures', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
