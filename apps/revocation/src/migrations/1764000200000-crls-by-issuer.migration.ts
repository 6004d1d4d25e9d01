import { grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lists of more than one issuing CA: each has its own, told apart by a prefix that the first one does not have. */
export class CrlsByIssuer1764000200000 implements MigrationInterface {
  readonly name = 'CrlsByIssuer1764000200000';

  async up(runner: QueryRunner): Promise<void> {
    for (const table of ['crl_numbers', 'crls']) {
      await runner.query(`
        ALTER TABLE ${table} ADD COLUMN prefix text NOT NULL DEFAULT '',
          DROP CONSTRAINT ${table}_pkey, ADD PRIMARY KEY (prefix, shard)`);
    }
    await runner.query('DROP INDEX revocations_by_shard');
    await runner.query('CREATE INDEX revocations_by_shard ON revocations (issuer_key_id, crl_shard, not_after)');
    // As fleet-ca names them; kept, so that lists go on while it is away.
    await runner.query(`
      CREATE TABLE crl_issuers (
        issuer_key_id text PRIMARY KEY,
        prefix text NOT NULL UNIQUE
      )`);
    await grantRuntime(runner, 'crl_issuers', ['SELECT', 'INSERT', 'DELETE']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
