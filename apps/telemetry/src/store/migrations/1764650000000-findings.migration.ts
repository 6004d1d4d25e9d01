import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What vehicles do not do by themselves. */
export class Findings1764650000000 implements MigrationInterface {
  readonly name = 'Findings1764650000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE findings (
        device_id text NOT NULL,
        found_at timestamptz NOT NULL DEFAULT now(),
        finding_id uuid NOT NULL,
        kind text NOT NULL,
        stream text NOT NULL,
        epoch integer NOT NULL,
        seq bigint NOT NULL,
        detail text NOT NULL,
        PRIMARY KEY (device_id, found_at, finding_id)
      )`);
    await appendOnly(runner, 'findings');
    await grantRuntime(runner, 'findings', ['SELECT', 'INSERT']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
