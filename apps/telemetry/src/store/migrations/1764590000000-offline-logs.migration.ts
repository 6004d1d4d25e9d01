import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Fetch orders and their ends, heads of vehicles' logs as they came, uploads on their way, and what was taken in from logs. */
export class OfflineLogs1764590000000 implements MigrationInterface {
  readonly name = 'OfflineLogs1764590000000';

  async up(runner: QueryRunner): Promise<void> {
    // `orders_until`: some order of the device may be open until then. `backfilled`: log_records has something of it. Both spare the
    // live path a second look: it reads the device's row anyway.
    await runner.query(`
      ALTER TABLE devices ADD COLUMN orders_until timestamptz, ADD COLUMN backfilled boolean NOT NULL DEFAULT false`);
    await runner.query(`
      CREATE TABLE fetch_orders (
        device_id text NOT NULL,
        order_id uuid NOT NULL,
        nonce text NOT NULL,
        stream text NOT NULL,
        epoch integer NOT NULL,
        ranges jsonb NOT NULL,
        reason text NOT NULL,
        issued_by text NOT NULL,
        issued_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL CHECK (expires_at <= issued_at + interval '72 hours'),
        PRIMARY KEY (device_id, order_id)
      )`);
    // The key is what makes an order single-use: it ends once, whoever comes first.
    await runner.query(`
      CREATE TABLE fetch_order_ends (
        device_id text NOT NULL,
        order_id uuid NOT NULL,
        how text NOT NULL CHECK (how IN ('fulfilled', 'cancelled', 'given_up')),
        ended_at timestamptz NOT NULL DEFAULT now(),
        ended_by text NOT NULL,
        delivery bytea,
        delivery_sha256 bytea,
        signature text,
        thumbprint text,
        answer jsonb,
        PRIMARY KEY (device_id, order_id)
      )`);
    await runner.query(`
      CREATE TABLE log_heads (
        device_id text NOT NULL,
        log text NOT NULL,
        segment bigint NOT NULL,
        received_at timestamptz NOT NULL DEFAULT now(),
        head bytea NOT NULL,
        head_sha256 bytea NOT NULL,
        signature text NOT NULL,
        thumbprint text NOT NULL,
        PRIMARY KEY (device_id, log, segment)
      )`);
    await runner.query(`
      CREATE TABLE log_uploads (
        device_id text NOT NULL,
        upload_id uuid NOT NULL,
        order_id uuid NOT NULL,
        begun_at timestamptz NOT NULL DEFAULT now(),
        state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'refused')),
        refusal jsonb,
        PRIMARY KEY (device_id, upload_id)
      )`);
    await runner.query(
      `CREATE UNIQUE INDEX log_uploads_open ON log_uploads (device_id, order_id) WHERE state = 'open'`,
    );
    await runner.query(`
      CREATE TABLE log_upload_parts (
        device_id text NOT NULL,
        upload_id uuid NOT NULL,
        part integer NOT NULL,
        bytes bytea NOT NULL,
        PRIMARY KEY (device_id, upload_id, part)
      )`);
    await runner.query(`
      CREATE TABLE log_segments (
        device_id text NOT NULL,
        order_id uuid NOT NULL,
        log text NOT NULL,
        segment bigint NOT NULL,
        received_at timestamptz NOT NULL DEFAULT now(),
        format text NOT NULL,
        head bytea NOT NULL,
        head_sha256 bytea NOT NULL,
        signature text NOT NULL,
        thumbprint text NOT NULL,
        stream text NOT NULL,
        epoch integer NOT NULL,
        seq bigint NOT NULL,
        count integer NOT NULL,
        digests bytea,
        signer text NOT NULL CHECK (signer IN ('live', 'expired', 'superseded', 'revoked')),
        standing text NOT NULL CHECK (standing IN ('trusted', 'unanchored')),
        PRIMARY KEY (device_id, order_id, log, segment)
      )`);
    await runner.query(`
      CREATE TABLE log_records (
        device_id text NOT NULL,
        stream text NOT NULL,
        epoch integer NOT NULL,
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        ts double precision NOT NULL,
        payload bytea NOT NULL,
        canonical_sha256 bytea NOT NULL,
        order_id uuid NOT NULL,
        log text NOT NULL,
        segment bigint NOT NULL,
        thumbprint text NOT NULL,
        token_id text NOT NULL,
        standing text NOT NULL CHECK (standing IN ('trusted', 'unanchored')),
        PRIMARY KEY (device_id, stream, epoch, seq)
      )`);
    await runner.query('CREATE INDEX log_records_by_time ON log_records (device_id, ts)');
    for (const table of ['fetch_orders', 'fetch_order_ends', 'log_heads', 'log_segments', 'log_records']) {
      await appendOnly(runner, table);
      await grantRuntime(runner, table, ['SELECT', 'INSERT']);
    }
    await grantRuntime(runner, 'log_uploads', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
    await grantRuntime(runner, 'log_upload_parts', ['SELECT', 'INSERT', 'DELETE']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
