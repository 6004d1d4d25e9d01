import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whose vehicle a device is, for limits at edges; null until the registry tells of the device again. */
export class Manufacturers1764800000000 implements MigrationInterface {
  readonly name = 'Manufacturers1764800000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE devices ADD COLUMN manufacturer text');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
