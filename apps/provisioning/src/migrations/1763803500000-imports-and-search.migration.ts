import { grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class ImportsAndSearch1763803500000 implements MigrationInterface {
  readonly name = 'ImportsAndSearch1763803500000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE device_imports (
        import_id text PRIMARY KEY,
        format text NOT NULL CHECK (format IN ('csv', 'ndjson')),
        header text[],
        complete boolean NOT NULL,
        last_line integer NOT NULL,
        lines integer NOT NULL,
        created integer NOT NULL,
        existing integer NOT NULL,
        conflicts integer NOT NULL,
        invalid integer NOT NULL,
        changed integer NOT NULL,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL,
        runner uuid,
        leased_until timestamptz
      )`);
    await runner.query(`
      CREATE TABLE device_import_lines (
        import_id text NOT NULL,
        line integer NOT NULL,
        sha256 text NOT NULL,
        status text NOT NULL CHECK (status IN ('created', 'existing', 'conflict', 'invalid')),
        changed boolean NOT NULL DEFAULT false,
        device_id text,
        code text,
        detail text,
        PRIMARY KEY (import_id, line)
      )`);
    await runner.query('CREATE INDEX device_import_lines_by_status ON device_import_lines (import_id, status, line)');
    await runner.query(
      'CREATE INDEX device_import_lines_changed ON device_import_lines (import_id, line) WHERE changed',
    );
    await grantRuntime(runner, 'device_imports', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
    await grantRuntime(runner, 'device_import_lines', ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
    // Pages are in the order of bytes, whatever the database's locale: a prefix is a range of that order.
    const order = 'device_id COLLATE "C"';
    await runner.query(`CREATE INDEX devices_by_id ON devices (${order})`);
    await runner.query(`CREATE INDEX devices_by_state ON devices (state, ${order})`);
    await runner.query(`CREATE INDEX devices_by_manufacturer ON devices (manufacturer, ${order})`);
    await runner.query(`CREATE INDEX devices_by_serial_number ON devices (serial_number, ${order})`);
    await runner.query(`CREATE INDEX devices_by_vin ON devices (vin, ${order}) WHERE vin IS NOT NULL`);
    await runner.query('CREATE INDEX devices_by_label ON devices USING gin (labels)');
    await runner.query(
      `CREATE INDEX certificates_in_use ON certificates (not_after, device_id) WHERE status IN ('pending', 'live')`,
    );
    await runner.query(
      `CREATE INDEX certificates_of_device_in_use ON certificates (device_id, not_after) WHERE status IN ('pending', 'live')`,
    );
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
