import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who sent a command, as policies see it, for its release; and by which policies it was sent and released. */
export class PolicyBasis1764510000000 implements MigrationInterface {
  readonly name = 'PolicyBasis1764510000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE commands ADD COLUMN requested_as jsonb');
    await runner.query('ALTER TABLE command_history ADD COLUMN policies text[], ADD COLUMN policy_version bigint');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
