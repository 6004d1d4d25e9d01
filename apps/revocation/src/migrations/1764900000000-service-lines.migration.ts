import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What was renewed from a service's certificate is found from it. The version before neither reads nor writes otherwise. */
export class ServiceLines1764900000000 implements MigrationInterface {
  readonly name = 'ServiceLines1764900000000';

  async up(runner: QueryRunner): Promise<void> {
    // Of a fleet's certificates these are a handful.
    await runner.query(`
      CREATE INDEX certificates_by_renewed_from ON certificates (renewed_from)
      WHERE device_id IS NULL AND renewed_from IS NOT NULL`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
