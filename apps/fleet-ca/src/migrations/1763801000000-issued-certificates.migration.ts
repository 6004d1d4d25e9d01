import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The log of what was signed. Append-only for the runtime role: what fleet-ca once signed, it cannot make unsigned. */
export class IssuedCertificates1763801000000 implements MigrationInterface {
  readonly name = 'IssuedCertificates1763801000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE issued_certificates (
        thumbprint text PRIMARY KEY,
        issuer_key_id text NOT NULL,
        serial_number text NOT NULL,
        key_thumbprint text NOT NULL,
        profile text NOT NULL,
        device_id text,
        requested_by text NOT NULL,
        request_id uuid NOT NULL,
        request_sha256 text NOT NULL,
        not_before timestamptz NOT NULL,
        not_after timestamptz NOT NULL,
        issued_at timestamptz NOT NULL,
        certificate bytea NOT NULL,
        UNIQUE (issuer_key_id, serial_number),
        UNIQUE (requested_by, request_id)
      )`);
    await runner.query('CREATE INDEX issued_certificates_by_serial ON issued_certificates (serial_number)');
    await runner.query('CREATE INDEX issued_certificates_by_device ON issued_certificates (device_id, issued_at)');
    await runner.query(`
      CREATE TABLE signed_crls (
        issuer text NOT NULL,
        distribution_point text NOT NULL,
        number bigint NOT NULL,
        request_sha256 text NOT NULL,
        signed_at timestamptz NOT NULL,
        PRIMARY KEY (issuer, distribution_point, number)
      )`);
    for (const table of ['issued_certificates', 'signed_crls']) {
      await appendOnly(runner, table);
      await grantRuntime(runner, table, ['SELECT', 'INSERT']);
    }
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
