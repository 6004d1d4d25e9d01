import { grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Registry1763802000000 implements MigrationInterface {
  readonly name = 'Registry1763802000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE manufacturers (
        name text PRIMARY KEY,
        ca text NOT NULL,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL
      )`);
    await runner.query(`
      CREATE TABLE devices (
        device_id text PRIMARY KEY,
        manufacturer text NOT NULL,
        serial_number text NOT NULL,
        vin text,
        labels text[] NOT NULL,
        grants text[] NOT NULL,
        state text NOT NULL CHECK (state IN ('registered', 'active', 'quarantined', 'awaiting_recovery', 'retired')),
        attestation text NOT NULL CHECK (attestation IN ('none', 'hardware')),
        min_epoch integer NOT NULL,
        version integer NOT NULL,
        block_changed_at timestamptz,
        denied_at timestamptz,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL,
        CONSTRAINT devices_factory_identity UNIQUE (manufacturer, serial_number)
      )`);
    await runner.query(
      `CREATE INDEX devices_to_deny ON devices (device_id) WHERE state = 'retired' AND denied_at IS NULL`,
    );
    await runner.query(`
      CREATE TABLE certificates (
        thumbprint text PRIMARY KEY,
        device_id text NOT NULL,
        issuer_key_id text NOT NULL,
        serial_number text NOT NULL,
        key_thumbprint text NOT NULL,
        not_before timestamptz NOT NULL,
        not_after timestamptz NOT NULL,
        der bytea NOT NULL,
        status text NOT NULL CHECK (status IN ('pending', 'live', 'superseded', 'revoked')),
        asked_by text NOT NULL,
        operation text NOT NULL CHECK (operation IN ('enrol', 're-enrol')),
        created_at timestamptz NOT NULL,
        first_seen_at timestamptz,
        overlap_ends_at timestamptz,
        superseded_by text,
        superseded_at timestamptz,
        revoked_at timestamptz,
        revocation_reason text,
        CONSTRAINT certificates_serial UNIQUE (issuer_key_id, serial_number)
      )`);
    await runner.query('CREATE INDEX certificates_by_device ON certificates (device_id, created_at)');
    await runner.query('CREATE INDEX certificates_by_key ON certificates (key_thumbprint)');
    await runner.query(
      `CREATE INDEX certificates_in_overlap ON certificates (overlap_ends_at) WHERE status = 'live' AND overlap_ends_at IS NOT NULL`,
    );
    await runner.query(`
      CREATE TABLE signing_requests (
        request_id uuid PRIMARY KEY,
        device_id text NOT NULL,
        key_thumbprint text NOT NULL,
        asked_by text NOT NULL,
        operation text NOT NULL,
        csr bytea NOT NULL,
        lifetime_seconds integer NOT NULL,
        created_at timestamptz NOT NULL,
        thumbprint text
      )`);
    await runner.query(
      'CREATE INDEX signing_requests_open ON signing_requests (device_id, key_thumbprint, asked_by) WHERE thumbprint IS NULL',
    );
    await grantRuntime(runner, 'manufacturers', ['SELECT', 'INSERT', 'UPDATE']);
    await grantRuntime(runner, 'devices', ['SELECT', 'INSERT', 'UPDATE']);
    await grantRuntime(runner, 'certificates', ['SELECT', 'INSERT', 'UPDATE']);
    await grantRuntime(runner, 'signing_requests', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
