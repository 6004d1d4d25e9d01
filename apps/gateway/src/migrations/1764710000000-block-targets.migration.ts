import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Certificates, networks and tokens beside devices, blocks that end by themselves, and tickets. `device_id` keeps its name, since the
 * version before goes on beside this one: it is the device id or, for the others, `<kind>:<value>`, which no device is called.
 */
export class BlockTargets1764710000000 implements MigrationInterface {
  readonly name = 'BlockTargets1764710000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const table of ['blocks', 'block_changes']) {
      await runner.query(`
        ALTER TABLE ${table}
          ADD COLUMN kind text NOT NULL DEFAULT 'device' CHECK (kind IN ('device', 'certificate', 'network', 'token')),
          ADD COLUMN expires_at timestamptz,
          ADD COLUMN ticket text`);
    }
    await runner.query('CREATE INDEX blocks_expiring ON blocks (expires_at) WHERE blocked AND expires_at IS NOT NULL');
    await runner.query(`
      CREATE TABLE compromised_certificates (
        thumbprint text PRIMARY KEY,
        revoked_at timestamptz NOT NULL
      )`);
    await appendOnly(runner, 'compromised_certificates');
    await grantRuntime(runner, 'compromised_certificates', ['SELECT', 'INSERT']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
