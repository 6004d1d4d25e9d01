import { grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Signed OCSP answers, so that replicas agree and a restart need not sign again. What an answer says is held against what stands before it is used. */
export class OcspResponses1764400300000 implements MigrationInterface {
  readonly name = 'OcspResponses1764400300000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE ocsp_responses (
        issuer_key_id text NOT NULL,
        serial_number text COLLATE "C" NOT NULL,
        cert_id bytea NOT NULL,
        status text NOT NULL CHECK (status IN ('good', 'revoked')),
        revoked_at timestamptz,
        reason text,
        this_update timestamptz NOT NULL,
        next_update timestamptz NOT NULL,
        der bytea NOT NULL,
        PRIMARY KEY (issuer_key_id, serial_number, cert_id)
      )`);
    await runner.query('CREATE INDEX ocsp_responses_by_end ON ocsp_responses (next_update)');
    await grantRuntime(runner, 'ocsp_responses', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
