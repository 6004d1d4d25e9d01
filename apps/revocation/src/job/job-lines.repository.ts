import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { Settled } from './decide-lines.js';
import type { LineKind, Outcome } from './job.js';
import type { JobLine } from './job-lines.js';
import type { Line } from './world.js';

export interface StoredLine extends Line {
  readonly outcome: Outcome | null;
  readonly detail: string | null;
}

/** What jobs name, a row each. */
@Injectable()
export class JobLines {
  constructor(private readonly database: Database) {}

  /** Those that say nothing are settled as they come. */
  async add(tx: EntityManager, jobId: string, lines: readonly JobLine[]): Promise<void> {
    if (lines.length === 0) return;
    await tx.query(
      `INSERT INTO job_lines (job_id, line, kind, value, outcome, detail)
       SELECT $1, l.line, l.kind, l.value, CASE WHEN l.kind = 'invalid' THEN 'invalid' END, l.detail
       FROM unnest($2::int[], $3::text[], $4::text[], $5::text[]) AS l (line, kind, value, detail)`,
      [
        jobId,
        lines.map(({ line }) => line),
        lines.map(({ kind }) => kind),
        lines.map(({ value }) => value),
        lines.map(({ detail }) => detail ?? null),
      ],
    );
  }

  /** What is left to do and may be tried now, in order. */
  left(jobId: string, limit: number): Promise<Line[]> {
    return this.database.query<Line>(
      `SELECT line, kind, value FROM job_lines
       WHERE job_id = $1 AND outcome IS NULL AND (again_at IS NULL OR again_at <= now()) ORDER BY line LIMIT $2`,
      [jobId, limit],
    );
  }

  async isAnyLeft(tx: EntityManager, jobId: string): Promise<boolean> {
    const rows = await tx.query('SELECT 1 FROM job_lines WHERE job_id = $1 AND outcome IS NULL LIMIT 1', [jobId]);
    return rows.length > 0;
  }

  async settle(tx: EntityManager, jobId: string, settled: readonly Settled[]): Promise<void> {
    await tx.query(
      `UPDATE job_lines l SET outcome = s.outcome, detail = s.detail
       FROM unnest($2::int[], $3::text[], $4::text[]) AS s (line, outcome, detail)
       WHERE l.job_id = $1 AND l.line = s.line AND l.outcome IS NULL`,
      [
        jobId,
        settled.map(({ line }) => line),
        settled.map(({ outcome }) => outcome),
        settled.map(({ detail }) => detail ?? null),
      ],
    );
  }

  /** Nobody could be asked about these: later. */
  async postpone(jobId: string, lines: readonly number[], forMs: number): Promise<void> {
    if (lines.length === 0) return;
    await this.database.query(
      `UPDATE job_lines SET again_at = now() + $3::int * interval '1 millisecond'
       WHERE job_id = $1 AND line = ANY($2::int[]) AND outcome IS NULL`,
      [jobId, lines, forMs],
    );
  }

  /** @returns how many were left. */
  async cancel(tx: EntityManager, jobId: string): Promise<number> {
    const result: [unknown, number] = await tx.query(
      `UPDATE job_lines SET outcome = 'cancelled' WHERE job_id = $1 AND outcome IS NULL`,
      [jobId],
    );
    return result[1];
  }

  async clear(tx: EntityManager, jobId: string): Promise<void> {
    await tx.query('DELETE FROM job_lines WHERE job_id = $1', [jobId]);
  }

  /** Of these names, those that no certificate, device or key of the projection has. */
  async unknown(lines: readonly Line[]): Promise<Set<number>> {
    const of = (kind: LineKind) => lines.filter((line) => line.kind === kind);
    const ask = async (kind: LineKind, sql: string) => {
      const some = of(kind);
      if (some.length === 0) return [];
      const missing = await this.database.query<{ value: string }>(
        `SELECT value FROM unnest($1::text[]) AS n (value) WHERE NOT EXISTS (${sql})`,
        [some.map(({ value }) => value)],
      );
      const values = new Set(missing.map(({ value }) => value));
      return some.filter(({ value }) => values.has(value)).map(({ line }) => line);
    };
    const found = await Promise.all([
      ask('thumbprint', 'SELECT 1 FROM certificates WHERE thumbprint = value'),
      ask('serial', 'SELECT 1 FROM certificates WHERE serial_number = value'),
      ask(
        'device',
        `SELECT 1 FROM certificates WHERE device_id = value
         UNION ALL SELECT 1 FROM device_revocations WHERE device_id = value`,
      ),
    ]);
    return new Set(found.flat());
  }

  /** A page in order, `after` a line. */
  page(jobId: string, outcome: Outcome | 'left' | undefined, after: number, limit: number): Promise<StoredLine[]> {
    return this.database.query<StoredLine>(
      `SELECT line, kind, value, outcome, detail FROM job_lines
       WHERE job_id = $1 AND line > $2 AND ($3::text IS NULL OR COALESCE(outcome, 'left') = $3) ORDER BY line LIMIT $4`,
      [jobId, after, outcome ?? null, limit],
    );
  }
}
