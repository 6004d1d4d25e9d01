import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import { WINDOW_BITS } from '@outrider/replay-window';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a restored backup has lost, the hold on its devices, and the epochs that operators open. */
export class RollbacksAndEpochOrders1764610000000 implements MigrationInterface {
  readonly name = 'RollbacksAndEpochOrders1764610000000';

  async up(runner: QueryRunner): Promise<void> {
    // The highest epoch that a held device is known to have used; NULL: it is not held.
    await runner.query('ALTER TABLE devices ADD COLUMN held_epoch integer CHECK (held_epoch >= 0)');
    await runner.query('CREATE INDEX devices_held ON devices (device_id) WHERE held_epoch IS NOT NULL');
    await runner.query(`
      CREATE TABLE rollbacks (
        device_id text NOT NULL,
        found_at timestamptz NOT NULL DEFAULT now(),
        stream text NOT NULL,
        epoch integer NOT NULL,
        seq bigint NOT NULL,
        PRIMARY KEY (device_id, found_at)
      )`);
    await runner.query(`
      CREATE TABLE epoch_orders (
        device_id text NOT NULL,
        min_epoch integer NOT NULL CHECK (min_epoch > 0),
        former_epoch integer NOT NULL,
        was_held boolean NOT NULL,
        reason text NOT NULL,
        ordered_by text NOT NULL,
        ordered_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (device_id, min_epoch)
      )`);
    for (const table of ['rollbacks', 'epoch_orders']) {
      await appendOnly(runner, table);
      await grantRuntime(runner, table, ['SELECT', 'INSERT']);
    }
    await runner.query(windowVerdict());
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

/** `judge` of libs/replay-window, told in SQL over a row's columns: the two are tested to agree. */
function windowVerdict(): string {
  return `
    CREATE FUNCTION window_verdict(highest bigint, bits bytea, seq bigint, hard_limit bigint) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
      SELECT CASE
        WHEN seq - highest > hard_limit OR seq > ${Number.MAX_SAFE_INTEGER} THEN 'jump'
        WHEN seq < 1 OR seq <= highest - ${WINDOW_BITS} THEN 'too_old'
        WHEN seq > highest THEN 'accepted'
        WHEN get_bit(bits, (seq % ${WINDOW_BITS})::integer) = 1 THEN 'duplicate_or_replayed'
        ELSE 'accepted'
      END
    $$`;
}
