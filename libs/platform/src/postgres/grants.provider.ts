/** What a migration says of its tables: who may do what on them. */
import type { QueryRunner } from 'typeorm';

export type Privilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

/** Grants the runtime role what it needs on a table and nothing else; its sequences come with INSERT. */
export async function grantRuntime(
  runner: QueryRunner,
  table: string,
  privileges: readonly Privilege[],
): Promise<void> {
  const role = schemaRole(runner);
  await runner.query(`GRANT ${privileges.join(', ')} ON "${table}" TO "${role}"`);
}

/** Makes a table append-only for everyone but its owner's maintenance: no UPDATE, DELETE or TRUNCATE passes the trigger. */
export async function appendOnly(runner: QueryRunner, table: string): Promise<void> {
  await runner.query(`
    CREATE TRIGGER "${table}_append_only" BEFORE UPDATE OR DELETE ON "${table}"
    FOR EACH ROW EXECUTE FUNCTION refuse_change()`);
  await runner.query(`
    CREATE TRIGGER "${table}_no_truncate" BEFORE TRUNCATE ON "${table}"
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`);
}

function schemaRole(runner: QueryRunner): string {
  const { schema } = runner.connection.options as { schema?: string };
  if (!schema) throw new Error('migrations need a schema');
  return schema;
}
