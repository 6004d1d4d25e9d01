import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Claims of other services that nobody withdraws: a retired device stays retired, whoever blocks and unblocks it. */
export class LastingClaims1764000100000 implements MigrationInterface {
  readonly name = 'LastingClaims1764000100000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE denylist_claims DROP CONSTRAINT denylist_claims_source_check,
        ADD CONSTRAINT denylist_claims_source_check
          CHECK (source IN ('revoke', 'superseded', 'request', 'lasting', 'bucket'))`);
    await runner.query(`UPDATE denylist_claims SET source = 'lasting' WHERE source = 'request' AND reason = 'retired'`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
