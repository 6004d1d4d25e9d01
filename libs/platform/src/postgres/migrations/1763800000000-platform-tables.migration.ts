import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What every service has: the transactional outbox, messages set aside, and the trigger function behind append-only tables. */
export class PlatformTables1763800000000 implements MigrationInterface {
  readonly name = 'PlatformTables1763800000000';

  async up(runner: QueryRunner): Promise<void> {
    const { schema } = runner.connection.options as { schema: string };
    await runner.query(`
      CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        message_id uuid NOT NULL DEFAULT gen_random_uuid(),
        subject text NOT NULL,
        payload text NOT NULL,
        traceparent text,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE TABLE set_aside_messages (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        subject text NOT NULL,
        data bytea NOT NULL,
        error text NOT NULL,
        received_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION '% on % is refused: append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
      END $$`);
    await runner.query(`GRANT USAGE ON SCHEMA "${schema}" TO "${schema}"`);
    await runner.query(`GRANT SELECT, INSERT, DELETE, UPDATE ON outbox TO "${schema}"`);
    await runner.query(`GRANT SELECT, INSERT ON set_aside_messages TO "${schema}"`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
