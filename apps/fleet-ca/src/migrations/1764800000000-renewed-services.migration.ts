import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which certificate a service's was renewed from. The version before neither reads nor writes it. */
export class RenewedServices1764800000000 implements MigrationInterface {
  readonly name = 'RenewedServices1764800000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE issued_certificates ADD COLUMN renewed_from text');
    // Of a fleet's certificates these are a handful.
    await runner.query(`
      CREATE INDEX issued_certificates_by_renewed_from ON issued_certificates (renewed_from)
      WHERE renewed_from IS NOT NULL`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
