import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A control token's audit names the policies that allowed it; tokens of before have none. */
export class PolicyBasis1764510000000 implements MigrationInterface {
  readonly name = 'PolicyBasis1764510000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE control_tokens ADD COLUMN policies text[], ADD COLUMN policy_version bigint');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
