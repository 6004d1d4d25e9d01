import type { MigrationInterface, QueryRunner } from 'typeorm';
import { grantRuntime } from '../grants.provider.js';

/** DPoP proofs that were used, until no nonce of their time is taken any more: what makes each serve once, on all replicas. */
export class DpopProofs1764550000000 implements MigrationInterface {
  readonly name = 'DpopProofs1764550000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE dpop_proofs (
        replay_key text PRIMARY KEY,
        expires_at timestamptz NOT NULL
      )`);
    await runner.query('CREATE INDEX dpop_proofs_expires_at ON dpop_proofs (expires_at)');
    await grantRuntime(runner, 'dpop_proofs', ['SELECT', 'INSERT', 'DELETE']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
