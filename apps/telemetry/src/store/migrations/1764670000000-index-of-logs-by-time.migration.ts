import type { MigrationInterface, QueryRunner } from 'typeorm';
import { retireLogs } from '../retention-sql.js';

const TABLES = ['log_records', 'log_segments', 'log_heads'];

/** Finds by an index what of the logs retention has outlived. They only grow, in order of receipt: a few bytes for each megabyte do. */
export class IndexOfLogsByTime1764670000000 implements MigrationInterface {
  readonly name = 'IndexOfLogsByTime1764670000000';

  async up(runner: QueryRunner): Promise<void> {
    const { schema } = runner.connection.options as { schema: string };
    for (const table of TABLES)
      await runner.query(
        `CREATE INDEX ${table}_by_time_of_receipt ON ${table} USING brin (received_at) WITH (autosummarize = on)`,
      );
    await runner.query(retireLogs(schema));
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
