import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a decision names besides; and an end to what is old, by a rule that the owner role sets and the trigger itself keeps. */
export class DecisionLog1764700000000 implements MigrationInterface {
  readonly name = 'DecisionLog1764700000000';

  async up(runner: QueryRunner): Promise<void> {
    const { schema } = runner.connection.options as { schema: string };
    await runner.query(`
      ALTER TABLE decisions ADD COLUMN token_id text, ADD COLUMN policies text[], ADD COLUMN latency_ms double precision`);
    await runner.query(
      'CREATE INDEX decisions_by_thumbprint ON decisions (thumbprint, id) WHERE thumbprint IS NOT NULL',
    );
    await runner.query('CREATE INDEX decisions_by_token_id ON decisions (token_id, id) WHERE token_id IS NOT NULL');
    await runner.query(`
      CREATE TABLE retention_rules (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        keep_days integer CHECK (keep_days > 0),
        set_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE TABLE retired_decisions (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        first_id bigint NOT NULL,
        last_id bigint NOT NULL,
        row_count bigint NOT NULL,
        first_received_at timestamptz NOT NULL,
        last_received_at timestamptz NOT NULL,
        rule_id bigint NOT NULL REFERENCES retention_rules,
        retired_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`);
    await appendOnly(runner, 'retention_rules');
    await appendOnly(runner, 'retired_decisions');
    await grantRuntime(runner, 'retention_rules', ['SELECT']);
    await grantRuntime(runner, 'retired_decisions', ['SELECT']);
    await runner.query(refuseEarlyEnd(schema));
    await runner.query(retireDecisions(schema));
    await runner.query('REVOKE ALL ON FUNCTION retire_decisions(integer) FROM PUBLIC');
    await runner.query(`GRANT EXECUTE ON FUNCTION retire_decisions(integer) TO "${schema}"`);
    await runner.query('DROP TRIGGER decisions_append_only ON decisions');
    await runner.query(`
      CREATE TRIGGER decisions_append_only BEFORE UPDATE ON decisions FOR EACH ROW EXECUTE FUNCTION refuse_change()`);
    await runner.query(`
      CREATE TRIGGER decisions_kept BEFORE DELETE ON decisions FOR EACH ROW EXECUTE FUNCTION refuse_early_end()`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

/** Holds for the owner too. */
function refuseEarlyEnd(schema: string): string {
  return `
    CREATE FUNCTION refuse_early_end() RETURNS trigger LANGUAGE plpgsql SET search_path = "${schema}", pg_temp AS $$
    DECLARE
      days integer := (SELECT keep_days FROM retention_rules ORDER BY id DESC LIMIT 1);
    BEGIN
      IF days IS NULL OR OLD.received_at >= now() - days * interval '1 day' THEN
        RAISE EXCEPTION 'DELETE on % is refused: it is to be kept', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
      END IF;
      RETURN OLD;
    END $$`;
}

/** Ends the oldest decisions, at most \`most\`, that the rule in force has outlived, and keeps which they were. Gives how many. */
function retireDecisions(schema: string): string {
  return `
    CREATE FUNCTION retire_decisions(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = "${schema}", pg_temp SET lock_timeout = '2s' AS $$
    DECLARE
      rule retention_rules;
      ended integer;
    BEGIN
      IF NOT pg_try_advisory_xact_lock(hashtextextended('${schema}.retire_decisions', 0)) THEN RETURN 0; END IF;
      SELECT * INTO rule FROM retention_rules ORDER BY id DESC LIMIT 1;
      IF rule.keep_days IS NULL THEN RETURN 0; END IF;
      WITH oldest AS MATERIALIZED (
        SELECT id, received_at FROM decisions ORDER BY id LIMIT most
      ), gone AS (
        DELETE FROM decisions d USING oldest o
        WHERE d.id = o.id AND o.received_at < now() - rule.keep_days * interval '1 day'
        RETURNING d.id, d.received_at
      ), proof AS (
        INSERT INTO retired_decisions (first_id, last_id, row_count, first_received_at, last_received_at, rule_id)
        SELECT min(id), max(id), count(*), min(received_at), max(received_at), rule.id FROM gone HAVING count(*) > 0
        RETURNING row_count
      )
      SELECT coalesce((SELECT row_count FROM proof), 0) INTO ended;
      RETURN ended;
    END $$`;
}
