import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who stands behind an account; rights for a reason and a time, their history, and which tokens carry them. */
export class Elevations1764520000000 implements MigrationInterface {
  readonly name = 'Elevations1764520000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE operator_accounts
        ADD COLUMN kind text NOT NULL DEFAULT 'service' CHECK (kind IN ('service', 'person')),
        ADD COLUMN identity text`);
    await runner.query('UPDATE operator_accounts SET identity = lower(client_id)');
    await runner.query('ALTER TABLE operator_accounts ALTER COLUMN identity SET NOT NULL');

    await runner.query(`
      CREATE TABLE elevations (
        elevation_id uuid PRIMARY KEY,
        account_id uuid NOT NULL REFERENCES operator_accounts,
        requested_identity text NOT NULL,
        scope text NOT NULL,
        reason text NOT NULL,
        duration_seconds int NOT NULL CHECK (duration_seconds > 0),
        state text NOT NULL CHECK (state IN ('requested', 'approved', 'rejected', 'revoked')),
        requested_at timestamptz NOT NULL,
        request_expires_at timestamptz NOT NULL,
        decided_by text,
        decided_at timestamptz,
        decision_reason text,
        ends_at timestamptz,
        revoked_by text,
        revoked_at timestamptz,
        revocation_reason text,
        CHECK ((state = 'approved') <= (ends_at IS NOT NULL AND decided_by IS NOT NULL AND decided_at IS NOT NULL))
      )`);
    await runner.query('CREATE INDEX elevations_account ON elevations (account_id, state)');
    await runner.query('CREATE INDEX elevations_requested_at ON elevations (requested_at DESC, elevation_id DESC)');
    await grantRuntime(runner, 'elevations', ['SELECT', 'INSERT', 'UPDATE']);

    await runner.query(`
      CREATE TABLE elevation_history (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        elevation_id uuid NOT NULL REFERENCES elevations,
        event text NOT NULL,
        who text NOT NULL,
        why text,
        at timestamptz NOT NULL
      )`);
    await runner.query('CREATE INDEX elevation_history_elevation ON elevation_history (elevation_id, id)');
    await appendOnly(runner, 'elevation_history');
    await grantRuntime(runner, 'elevation_history', ['SELECT', 'INSERT']);

    await runner.query('ALTER TABLE operator_tokens ADD COLUMN elevation_id uuid REFERENCES elevations');
    await runner.query(
      'CREATE INDEX operator_tokens_elevation ON operator_tokens (elevation_id) WHERE elevation_id IS NOT NULL',
    );
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
