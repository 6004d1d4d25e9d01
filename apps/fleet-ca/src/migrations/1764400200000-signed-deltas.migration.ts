import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A delta goes on from a full list, and not from another delta: so it is kept which of them was which. */
export class SignedDeltas1764400200000 implements MigrationInterface {
  readonly name = 'SignedDeltas1764400200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE signed_crls ADD COLUMN is_delta boolean NOT NULL DEFAULT false');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
