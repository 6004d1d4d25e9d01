import { appendOnly, grantRuntime } from '@outrider/platform/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Every version of the policies that was ever in force, and decisions by policies with their inputs. */
export class Policies1764500000000 implements MigrationInterface {
  readonly name = 'Policies1764500000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE policy_bundles (
        version bigint PRIMARY KEY,
        schema text NOT NULL,
        policies jsonb NOT NULL,
        source text NOT NULL CHECK (source IN ('shipped', 'operator')),
        changed_by text NOT NULL,
        reason text NOT NULL,
        changed_at timestamptz NOT NULL
      )`);
    await appendOnly(runner, 'policy_bundles');
    await grantRuntime(runner, 'policy_bundles', ['SELECT', 'INSERT']);
    await runner.query(`
      CREATE TABLE policy_decisions (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        stream_sequence bigint NOT NULL UNIQUE,
        service text NOT NULL,
        instance text NOT NULL,
        action text NOT NULL,
        resource_id text NOT NULL,
        request jsonb NOT NULL,
        decision text NOT NULL CHECK (decision IN ('allow', 'deny')),
        policies text[] NOT NULL,
        errors text[] NOT NULL,
        version bigint NOT NULL,
        at timestamptz NOT NULL
      )`);
    await runner.query('CREATE INDEX policy_decisions_at ON policy_decisions (at)');
    await grantRuntime(runner, 'policy_decisions', ['SELECT', 'INSERT', 'DELETE']);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
