import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Why a device is held, what happened to it (append-only), orders that need a second operator, hardware that is gone. */
export class Lifecycle1764300000000 implements MigrationInterface {
  readonly name = 'Lifecycle1764300000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE devices
        ADD COLUMN hardware text,
        ADD COLUMN holds text[] NOT NULL DEFAULT '{}',
        ADD COLUMN resumes text CHECK (resumes IN ('registered', 'active')),
        ADD COLUMN in_workshop boolean NOT NULL DEFAULT false,
        ADD COLUMN revoked_at timestamptz,
        ADD COLUMN revocation_recovered_up_to timestamptz,
        ADD COLUMN recovered_at timestamptz`);
    // Until now a block was the one thing that quarantined.
    await runner.query(`
      UPDATE devices d SET holds = '{block}', resumes =
        CASE WHEN EXISTS (SELECT 1 FROM certificates c WHERE c.device_id = d.device_id) THEN 'active' ELSE 'registered' END
      WHERE state = 'quarantined'`);
    await history(runner);
    await orders(runner);
    await spentIdentities(runner);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

async function history(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE device_history (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      device_id text NOT NULL,
      from_state text,
      to_state text NOT NULL,
      event text NOT NULL,
      who text NOT NULL,
      why text NOT NULL,
      at timestamptz NOT NULL,
      ticket text,
      detail jsonb,
      trace_id text
    )`);
  await runner.query('CREATE INDEX device_history_by_device ON device_history (device_id, id)');
  await appendOnly(runner, 'device_history');
  await grantRuntime(runner, 'device_history', ['SELECT', 'INSERT']);
}

async function orders(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE device_orders (
      order_id uuid PRIMARY KEY,
      device_id text NOT NULL,
      kind text NOT NULL CHECK (kind IN ('recovery', 'reinstate', 'ecu_swap')),
      state text NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'expired')),
      reason text NOT NULL,
      evidence text,
      ticket text,
      manufacturer text,
      serial_number text,
      requested_by text NOT NULL,
      requested_at timestamptz NOT NULL,
      expires_at timestamptz NOT NULL,
      decided_by text CHECK (decided_by <> requested_by),
      decided_at timestamptz,
      decision_reason text,
      used_at timestamptz
    )`);
  await runner.query(`CREATE UNIQUE INDEX device_orders_pending ON device_orders (device_id) WHERE state = 'pending'`);
  await runner.query(
    `CREATE INDEX device_orders_unused ON device_orders (device_id) WHERE state = 'approved' AND used_at IS NULL`,
  );
  await runner.query('CREATE INDEX device_orders_by_time ON device_orders (requested_at, order_id)');
  await grantRuntime(runner, 'device_orders', ['SELECT', 'INSERT', 'UPDATE']);
}

async function spentIdentities(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE spent_factory_identities (
      manufacturer text NOT NULL,
      serial_number text NOT NULL,
      device_id text NOT NULL,
      spent_at timestamptz NOT NULL,
      PRIMARY KEY (manufacturer, serial_number)
    )`);
  await appendOnly(runner, 'spent_factory_identities');
  await grantRuntime(runner, 'spent_factory_identities', ['SELECT', 'INSERT']);
  // Whoever adds devices, by whatever way: hardware that was taken out never comes back, as any device.
  await runner.query(`
    CREATE FUNCTION skip_spent_identity() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT 1 FROM spent_factory_identities s
                 WHERE s.manufacturer = NEW.manufacturer AND s.serial_number = NEW.serial_number) THEN
        RETURN NULL;
      END IF;
      RETURN NEW;
    END $$`);
  await runner.query(`
    CREATE TRIGGER devices_not_spent BEFORE INSERT ON devices
    FOR EACH ROW EXECUTE FUNCTION skip_spent_identity()`);
}
