import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a group of requests is looked up by, and under which label each certificate was given. */
export class EnrolmentGroups1764100000000 implements MigrationInterface {
  readonly name = 'EnrolmentGroups1764100000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE certificates
      ADD COLUMN label text NOT NULL DEFAULT 'default',
      ADD COLUMN csr_sha256 text`);
    await runner.query(`ALTER TABLE signing_requests
      ADD COLUMN label text NOT NULL DEFAULT 'default',
      ADD COLUMN profile text NOT NULL DEFAULT 'vehicle',
      ADD COLUMN authority text NOT NULL DEFAULT 'vehicle-ca',
      ADD COLUMN csr_sha256 text NOT NULL DEFAULT ''`);
    await runner.query('CREATE INDEX certificates_valid ON certificates (device_id, not_after)');
    await runner.query('CREATE INDEX signing_requests_by_age ON signing_requests (created_at)');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
