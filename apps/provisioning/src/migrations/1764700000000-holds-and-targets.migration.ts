import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Up to when a certificate's holds were released, and the certificates of an EST label in order. */
export class HoldsAndTargets1764700000000 implements MigrationInterface {
  readonly name = 'HoldsAndTargets1764700000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE certificates ADD COLUMN released_at timestamptz');
    await runner.query('CREATE INDEX certificates_by_label ON certificates (label, thumbprint COLLATE "C")');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
