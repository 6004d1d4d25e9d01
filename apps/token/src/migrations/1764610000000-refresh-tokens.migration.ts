import { grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Refresh tokens of devices attested in hardware: families, and each token of one by its hash, with the access token given beside it. */
export class RefreshTokens1764610000000 implements MigrationInterface {
  readonly name = 'RefreshTokens1764610000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE refresh_families (
        id uuid PRIMARY KEY,
        device_id text NOT NULL,
        thumbprint text NOT NULL,
        jkt text,
        scope text NOT NULL,
        started_at timestamptz NOT NULL,
        ends_at timestamptz NOT NULL,
        ended_at timestamptz,
        ended_why text
      )`);
    await grantRuntime(runner, 'refresh_families', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
    await runner.query('CREATE INDEX refresh_families_ends_at ON refresh_families (ends_at)');
    await runner.query(`
      CREATE TABLE refresh_tokens (
        hash bytea PRIMARY KEY,
        family_id uuid NOT NULL REFERENCES refresh_families ON DELETE CASCADE,
        access_jti uuid NOT NULL,
        access_expires_at timestamptz NOT NULL,
        issued_at timestamptz NOT NULL,
        used_at timestamptz
      )`);
    await grantRuntime(runner, 'refresh_tokens', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
    await runner.query('CREATE INDEX refresh_tokens_family_id ON refresh_tokens (family_id)');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
