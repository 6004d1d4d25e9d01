import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { Import, ImportId, LineOutcome, LineQuery, ReportedLine } from './import.js';
import type { ImportFormat } from './registration-line.js';

/** Longer than any pause between two batches of one that still runs. */
const LEASE = '60 seconds';
/** At once, over all instances: each takes its share of what enrolment needs too. */
const MAX_RUNNING = 2;

const COLUMNS = `import_id AS "importId", format, header, complete, coalesce(leased_until > now(), false) AS running,
  last_line AS "lastLine", lines, created, existing, conflicts, invalid, changed, created_by AS "createdBy",
  created_at AS "createdAt", changed_at AS "changedAt"`;

/** The right to go on with one import, for whoever holds it alone. */
export interface Lease {
  readonly importId: ImportId;
  readonly runner: string;
}

@Injectable()
export class Imports {
  constructor(private readonly database: Database) {}

  async find(importId: ImportId): Promise<Import> {
    const sql = `SELECT ${COLUMNS} FROM device_imports WHERE import_id = $1`;
    const [found] = await this.database.query<Import>(sql, [importId]);
    if (!found) throw new DomainError('provisioning.import_not_found', { detail: importId });
    return found;
  }

  /** The newest first; there are never more than retention keeps. */
  all(): Promise<Import[]> {
    return this.database.query(`SELECT ${COLUMNS} FROM device_imports ORDER BY created_at DESC, import_id`);
  }

  /** Begins, or goes on. Errors: `provisioning.import_running`, `provisioning.import_conflict`, `request.too_many`. */
  begin(importId: ImportId, format: ImportFormat, who: string): Promise<Lease> {
    return this.database.transaction(async (tx) => {
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('provisioning.imports', 0))`);
      const running: { import_id: string }[] = await tx.query(
        'SELECT import_id FROM device_imports WHERE leased_until > now()',
      );
      if (running.some(({ import_id }) => import_id === importId)) {
        throw new DomainError('provisioning.import_running', { detail: importId, retryAfterSeconds: 5 });
      }
      if (running.length >= MAX_RUNNING) {
        throw new DomainError('request.too_many', {
          detail: `${running.length} imports run already`,
          retryAfterSeconds: 10,
        });
      }
      const runner = randomUUID();
      const [begun]: { format: ImportFormat }[] = await tx.query(
        `INSERT INTO device_imports (import_id, format, complete, last_line, lines, created, existing, conflicts, invalid,
           changed, created_by, created_at, changed_at, runner, leased_until)
         VALUES ($1, $2, false, 0, 0, 0, 0, 0, 0, 0, $3, now(), now(), $4, now() + interval '${LEASE}')
         ON CONFLICT (import_id) DO UPDATE SET
           complete = false, changed_at = now(), runner = EXCLUDED.runner, leased_until = EXCLUDED.leased_until
         RETURNING format`,
        [importId, format, who, runner],
      );
      if (begun?.format !== format) throw new DomainError('provisioning.import_conflict', { detail: 'another format' });
      return { importId, runner };
    });
  }

  /** Fixes the columns, once. Errors: `provisioning.import_conflict`. */
  async setHeader(lease: Lease, header: readonly string[]): Promise<void> {
    await this.database.transaction(async (tx) => {
      const set = await tx.query(
        'UPDATE device_imports SET header = $3 WHERE import_id = $1 AND runner = $2 AND (header IS NULL OR header = $3)',
        [lease.importId, lease.runner, header],
      );
      if (affected(set) === 0) throw new DomainError('provisioning.import_conflict', { detail: 'other columns' });
    });
  }

  /** Locks the import for the rest of `tx`. Errors: `provisioning.import_running` when the lease went to someone else. */
  async renew(tx: EntityManager, lease: Lease): Promise<void> {
    const renewed = await tx.query(
      `UPDATE device_imports SET leased_until = now() + interval '${LEASE}' WHERE import_id = $1 AND runner = $2`,
      [lease.importId, lease.runner],
    );
    if (affected(renewed) === 0) throw new DomainError('provisioning.import_running', { detail: lease.importId });
  }

  /** SHA-256 by line, of those of `lines` that were handled. */
  async handled(tx: EntityManager, importId: ImportId, lines: readonly number[]): Promise<Map<number, string>> {
    const rows: { line: number; sha256: string }[] = await tx.query(
      'SELECT line, sha256 FROM device_import_lines WHERE import_id = $1 AND line = ANY($2::integer[])',
      [importId, lines],
    );
    return new Map(rows.map(({ line, sha256 }) => [line, sha256]));
  }

  async record(tx: EntityManager, importId: ImportId, outcomes: readonly LineOutcome[]): Promise<void> {
    if (outcomes.length === 0) return;
    await tx.query(
      `INSERT INTO device_import_lines (import_id, line, sha256, status, device_id, code, detail)
       SELECT $1, line, sha256, status, "deviceId", code, detail FROM jsonb_to_recordset($2::jsonb)
         AS o(line integer, sha256 text, status text, "deviceId" text, code text, detail text)`,
      [importId, JSON.stringify(outcomes)],
    );
    const count = (status: string) => outcomes.filter((outcome) => outcome.status === status).length;
    await tx.query(
      `UPDATE device_imports SET lines = lines + $2, created = created + $3, existing = existing + $4,
         conflicts = conflicts + $5, invalid = invalid + $6, last_line = greatest(last_line, $7), changed_at = now()
       WHERE import_id = $1`,
      [
        importId,
        outcomes.length,
        ...['created', 'existing', 'conflict', 'invalid'].map(count),
        Math.max(...outcomes.map(({ line }) => line)),
      ],
    );
  }

  /** Notes which lines were sent with other content than they were handled with, and which no longer are. */
  async setChanged(
    tx: EntityManager,
    importId: ImportId,
    changed: readonly number[],
    same: readonly number[],
  ): Promise<void> {
    if (changed.length + same.length === 0) return;
    const sql = `UPDATE device_import_lines SET changed = NOT changed
      WHERE import_id = $1 AND ((line = ANY($2::integer[]) AND NOT changed) OR (line = ANY($3::integer[]) AND changed))`;
    if (affected(await tx.query(sql, [importId, changed, same])) === 0) return;
    await tx.query(
      `UPDATE device_imports SET changed_at = now(), changed =
         (SELECT count(*) FROM device_import_lines l WHERE l.import_id = $1 AND l.changed) WHERE import_id = $1`,
      [importId],
    );
  }

  /** Gives the lease back. */
  async finish(lease: Lease, complete: boolean): Promise<void> {
    await this.database.query(
      `UPDATE device_imports SET complete = $3, runner = NULL, leased_until = NULL, changed_at = now()
       WHERE import_id = $1 AND runner = $2`,
      [lease.importId, lease.runner, complete],
    );
  }

  /** One more than asked for, if there are more. */
  lines(importId: ImportId, { status, after = 0, limit }: LineQuery): Promise<ReportedLine[]> {
    const where =
      status === undefined
        ? ''
        : status === 'changed'
          ? 'AND changed'
          : status === 'failed'
            ? `AND (changed OR status IN ('conflict', 'invalid'))`
            : 'AND status = $4';
    return this.database.query(
      `SELECT line, sha256, status, changed, device_id AS "deviceId", code, detail FROM device_import_lines
       WHERE import_id = $1 AND line > $2 ${where} ORDER BY line LIMIT $3`,
      [importId, after, limit + 1, ...(where.includes('$4') ? [status] : [])],
    );
  }

  /** Removes a report: the longest untouched that is beyond what is kept. Returns its id; undefined when there is none. */
  async removeOne(keep: { days: number; imports: number; lines: number }): Promise<string | undefined> {
    return this.database.transaction(async (tx) => {
      const [doomed]: { import_id: string }[] = await tx.query(
        `SELECT i.import_id FROM device_imports i JOIN (
           SELECT import_id, row_number() OVER newest AS nth, sum(lines) OVER newest AS total
           FROM device_imports WINDOW newest AS (ORDER BY changed_at DESC, import_id)
         ) r USING (import_id)
         WHERE (i.changed_at < now() - make_interval(days => $1) OR r.nth > $2 OR (r.total > $3 AND r.nth > 1))
           AND coalesce(i.leased_until < now(), true)
         ORDER BY i.changed_at LIMIT 1 FOR UPDATE OF i SKIP LOCKED`,
        [keep.days, keep.imports, keep.lines],
      );
      if (!doomed) return undefined;
      await tx.query('DELETE FROM device_import_lines WHERE import_id = $1', [doomed.import_id]);
      await tx.query('DELETE FROM device_imports WHERE import_id = $1', [doomed.import_id]);
      return doomed.import_id;
    });
  }
}

/** TypeORM answers an UPDATE with its rows and their number. */
function affected(result: unknown): number {
  return (result as [unknown[], number])[1];
}
