import { grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tokens that were ended and whose denial revocation has not confirmed yet; who has had a hand in an account. */
export class OwedDenials1764700000000 implements MigrationInterface {
  readonly name = 'OwedDenials1764700000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE owed_denials (
        jti text PRIMARY KEY,
        expires_at timestamptz NOT NULL,
        reason text NOT NULL,
        owed_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query('CREATE INDEX owed_denials_owed_at ON owed_denials (owed_at)');
    await grantRuntime(runner, 'owed_denials', ['SELECT', 'INSERT', 'DELETE']);
    await runner.query('CREATE INDEX operator_tokens_account ON operator_tokens (account_id, expires_at)');

    // Identities of who made the account or gave it a key: whoever may hold its key is never another person than it.
    await runner.query(`ALTER TABLE operator_accounts ADD COLUMN keyed_by text[] NOT NULL DEFAULT '{}'`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
