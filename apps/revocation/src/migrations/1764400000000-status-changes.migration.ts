import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Holds that were released (append-only), what stands revoked now (a view), and every change of it in the order of the commits
 * (append-only, written by triggers, so that no statement can forget it).
 */
export class StatusChanges1764400000000 implements MigrationInterface {
  readonly name = 'StatusChanges1764400000000';

  async up(runner: QueryRunner): Promise<void> {
    await bytewiseSerials(runner);
    await holdReleases(runner);
    await statusChanges(runner);
    await triggers(runner);
    await revokedCertificates(runner);
    // What a hold claims can be withdrawn; what a revocation claims cannot.
    await runner.query(`
      ALTER TABLE denylist_claims DROP CONSTRAINT denylist_claims_source_check,
        ADD CONSTRAINT denylist_claims_source_check
          CHECK (source IN ('revoke', 'hold', 'superseded', 'request', 'lasting', 'registry', 'bucket'))`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

/** Serial numbers in the order of their bytes whatever the database's language, and lists read along one index. */
async function bytewiseSerials(runner: QueryRunner): Promise<void> {
  for (const table of ['revocations', 'certificates']) {
    await runner.query(`ALTER TABLE ${table} ALTER COLUMN serial_number TYPE text COLLATE "C"`);
  }
  await runner.query('DROP INDEX revocations_by_shard');
  await runner.query('CREATE INDEX revocations_by_list ON revocations (issuer_key_id, crl_shard, serial_number)');
}

/** One row for each row of `revocations` or `device_revocations` that a release ended: always a hold. */
async function holdReleases(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE hold_releases (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      revocation_id bigint UNIQUE,
      device_revocation_id bigint UNIQUE,
      issuer_key_id text,
      serial_number text COLLATE "C",
      thumbprint text,
      device_id text,
      released_at timestamptz NOT NULL,
      released_by text NOT NULL,
      note text,
      trace_id text,
      CHECK (num_nonnulls(revocation_id, device_revocation_id) = 1)
    )`);
  await appendOnly(runner, 'hold_releases');
  await grantRuntime(runner, 'hold_releases', ['SELECT', 'INSERT']);
}

async function statusChanges(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE status_changes (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      issuer_key_id text NOT NULL,
      serial_number text COLLATE "C" NOT NULL,
      crl_shard integer,
      change text NOT NULL CHECK (change IN ('revoked', 'released')),
      reason text NOT NULL,
      changed_at timestamptz NOT NULL
    )`);
  await runner.query('CREATE INDEX status_changes_by_serial ON status_changes (issuer_key_id, serial_number, id)');
  await appendOnly(runner, 'status_changes');
  await grantRuntime(runner, 'status_changes', ['SELECT', 'INSERT']);
  await runner.query(`
    INSERT INTO status_changes (issuer_key_id, serial_number, crl_shard, change, reason, changed_at)
    SELECT issuer_key_id, serial_number, crl_shard, 'revoked', reason, revoked_at FROM revocations
    WHERE issuer_key_id IS NOT NULL AND serial_number IS NOT NULL ORDER BY id`);
}

/** Whoever writes holds the denylist's lock, so ids of changes come in the order of the commits. */
async function triggers(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE FUNCTION tell_revoked() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      INSERT INTO status_changes (issuer_key_id, serial_number, crl_shard, change, reason, changed_at)
      SELECT issuer_key_id, serial_number, crl_shard, 'revoked', reason, revoked_at FROM added
      WHERE issuer_key_id IS NOT NULL AND serial_number IS NOT NULL ORDER BY id;
      PERFORM pg_notify('revocation_status', '');
      RETURN NULL;
    END $$`);
  await runner.query(`
    CREATE FUNCTION tell_released() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      INSERT INTO status_changes (issuer_key_id, serial_number, crl_shard, change, reason, changed_at)
      SELECT r.issuer_key_id, r.serial_number, r.crl_shard, 'released', r.reason, a.released_at
      FROM added a JOIN revocations r ON r.id = a.revocation_id
      WHERE r.issuer_key_id IS NOT NULL AND r.serial_number IS NOT NULL ORDER BY a.id;
      PERFORM pg_notify('revocation_status', '');
      RETURN NULL;
    END $$`);
  await runner.query(`
    CREATE TRIGGER tell_revoked AFTER INSERT ON revocations REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tell_revoked()`);
  await runner.query(`
    CREATE TRIGGER tell_released AFTER INSERT ON hold_releases REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tell_released()`);
}

/**
 * One row for each certificate that stands revoked now, by issuer and serial number. The first reason stands, but a compromise is
 * graver than any, and any is graver than a hold. `not_after`: unknown where force named it. A hold that was released is not here.
 */
async function revokedCertificates(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE VIEW revoked_certificates AS
    SELECT s.*, (
        SELECT max(c.id) FROM status_changes c
        WHERE c.issuer_key_id = s.issuer_key_id AND c.serial_number = s.serial_number) AS since_id
    FROM (
      SELECT r.issuer_key_id, r.serial_number, max(r.thumbprint) AS thumbprint, r.crl_shard,
        min(r.revoked_at) AS revoked_at,
        CASE WHEN bool_or(r.reason = 'keyCompromise') THEN 'keyCompromise'
          ELSE COALESCE((array_agg(r.reason ORDER BY r.id) FILTER (WHERE r.reason <> 'certificateHold'))[1], 'certificateHold')
        END AS reason,
        max(r.not_after) AS not_after
      FROM revocations r
      WHERE r.issuer_key_id IS NOT NULL AND r.serial_number IS NOT NULL AND (
        r.reason <> 'certificateHold' OR NOT EXISTS (SELECT 1 FROM hold_releases h WHERE h.revocation_id = r.id))
      GROUP BY r.issuer_key_id, r.crl_shard, r.serial_number
    ) s`);
  await grantRuntime(runner, 'revoked_certificates', ['SELECT']);
}
