import { grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A retired signing key is removed when the last token by it has ended. */
export class KeyRotation1764000000000 implements MigrationInterface {
  readonly name = 'KeyRotation1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    await grantRuntime(runner, 'signing_keys', ['DELETE']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
