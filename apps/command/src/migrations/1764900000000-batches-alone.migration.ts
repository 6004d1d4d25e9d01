import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who may have stood behind the account that asked for a batch: what one person sends without a second one's word is counted over a time. */
export class BatchesAlone1764900000000 implements MigrationInterface {
  readonly name = 'BatchesAlone1764900000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE batches ADD COLUMN requested_people text[] NOT NULL DEFAULT '{}'`);
    await runner.query('CREATE INDEX batches_alone ON batches (created_at) WHERE approval_expires_at IS NULL');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
