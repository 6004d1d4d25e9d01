import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which entries came of a bulk change: they go to the bucket behind all others. */
export class BulkEntries1764400400000 implements MigrationInterface {
  readonly name = 'BulkEntries1764400400000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE denylist_entries ADD COLUMN bulk boolean NOT NULL DEFAULT false');
    await runner.query('CREATE INDEX denylist_entries_urgent ON denylist_entries (sequence) WHERE NOT bulk');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
