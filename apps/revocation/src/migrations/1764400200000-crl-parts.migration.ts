import { grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lists in parts, so that nobody holds a long one whole: full lists and deltas, the last ones and a few before them. */
export class CrlParts1764400200000 implements MigrationInterface {
  readonly name = 'CrlParts1764400200000';

  async up(runner: QueryRunner): Promise<void> {
    await versions(runner);
    await parts(runner);
    // What stands published goes on until the next list. It knows of no change: anything urgent is published anew.
    await runner.query(`
      INSERT INTO crl_versions (prefix, shard, is_delta, number, draft, head, tail, parts, entries, bytes, up_to,
        this_update, next_update, published_at, took_ms)
      SELECT prefix, shard, false, number, gen_random_uuid(), der, '', 0, 0, length(der), 0,
        published_at, next_update, published_at, 0 FROM crls`);
    await runner.query(`
      CREATE INDEX status_changes_urgent ON status_changes (issuer_key_id, crl_shard, id)
      WHERE change = 'released' OR reason = 'keyCompromise'`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

async function versions(runner: QueryRunner): Promise<void> {
  // `up_to`: the last of status_changes that the list knows of.
  await runner.query(`
    CREATE TABLE crl_versions (
      prefix text NOT NULL,
      shard integer NOT NULL,
      is_delta boolean NOT NULL,
      number bigint NOT NULL,
      base_number bigint,
      draft uuid NOT NULL UNIQUE,
      head bytea NOT NULL,
      tail bytea NOT NULL,
      parts integer NOT NULL,
      entries integer NOT NULL,
      bytes bigint NOT NULL,
      up_to bigint NOT NULL,
      this_update timestamptz NOT NULL,
      next_update timestamptz NOT NULL,
      published_at timestamptz NOT NULL,
      took_ms integer NOT NULL,
      PRIMARY KEY (prefix, shard, is_delta, number),
      CHECK (is_delta = (base_number IS NOT NULL))
    )`);
  await runner.query(`
    CREATE FUNCTION refuse_passed_number() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      IF EXISTS (SELECT 1 FROM crl_versions v WHERE v.prefix = NEW.prefix AND v.shard = NEW.shard AND v.number >= NEW.number) THEN
        RAISE EXCEPTION 'CRL numbers go forward only' USING ERRCODE = 'insufficient_privilege';
      END IF;
      RETURN NEW;
    END $$`);
  await runner.query(`
    CREATE TRIGGER crl_versions_forward BEFORE INSERT ON crl_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_passed_number()`);
  await grantRuntime(runner, 'crl_versions', ['SELECT', 'INSERT', 'DELETE']);
}

async function parts(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE crl_parts (
      draft uuid NOT NULL,
      part integer NOT NULL,
      der bytea NOT NULL,
      written_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (draft, part)
    )`);
  // Serial numbers are random: there is nothing to compress.
  await runner.query('ALTER TABLE crl_parts ALTER COLUMN der SET STORAGE EXTERNAL');
  await grantRuntime(runner, 'crl_parts', ['SELECT', 'INSERT', 'DELETE']);
}
