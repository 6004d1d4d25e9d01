import { Injectable } from '@nestjs/common';
import type { PolicyDecided } from '@outrider/contracts';
import { Database } from '@outrider/platform/postgres';
import { PolicyBundle } from '@outrider/policy';
import type { EntityManager } from 'typeorm';
import type { StoredBundle } from './bundle-document.js';
import type { RecordedDecision } from './dry-run.js';

interface BundleRow {
  readonly version: string;
  readonly schema: string;
  readonly policies: Record<string, string>;
  readonly source: StoredBundle['source'];
  readonly changed_by: string;
  readonly reason: string;
  readonly changed_at: Date;
}

/** Versions of the policies, append-only, and what was decided by them. */
@Injectable()
export class Bundles {
  constructor(private readonly database: Database) {}

  /** One change at a time: the next version follows from the last. */
  async lockLatest(tx: EntityManager): Promise<StoredBundle | undefined> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('gateway.policies', 0))`);
    const rows: BundleRow[] = await tx.query('SELECT * FROM policy_bundles ORDER BY version DESC LIMIT 1');
    return rows[0] && fromRow(rows[0]);
  }

  async latest(): Promise<StoredBundle | undefined> {
    const [row] = await this.database.query<BundleRow>('SELECT * FROM policy_bundles ORDER BY version DESC LIMIT 1');
    return row && fromRow(row);
  }

  /** Newest first. */
  async versions(limit: number): Promise<StoredBundle[]> {
    const rows = await this.database.query<BundleRow>('SELECT * FROM policy_bundles ORDER BY version DESC LIMIT $1', [
      limit,
    ]);
    return rows.map(fromRow);
  }

  async add(tx: EntityManager, bundle: StoredBundle): Promise<void> {
    const { version, schema, policies, source, changedBy, reason, changedAt } = bundle;
    await tx.query(
      `INSERT INTO policy_bundles (version, schema, policies, source, changed_by, reason, changed_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [version, schema, JSON.stringify(policies), source, changedBy, reason, changedAt],
    );
  }

  /** At least once in, once stored. */
  async record(d: PolicyDecided, streamSequence: number): Promise<void> {
    await this.database.query(
      `INSERT INTO policy_decisions (stream_sequence, service, instance, action, resource_id, request, decision, policies, errors, version, at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
      [
        streamSequence,
        d.service,
        d.instance,
        d.request.action,
        d.request.resource.id,
        JSON.stringify(d.request),
        d.decision,
        d.policies,
        d.errors,
        d.version,
        d.at,
      ],
    );
  }

  /** Newest first. */
  async recorded(since: Date, limit: number): Promise<RecordedDecision[]> {
    return this.database.query<RecordedDecision>(
      `SELECT id, at, service, request, decision, policies FROM policy_decisions WHERE at >= $1 ORDER BY at DESC LIMIT $2`,
      [since, limit],
    );
  }

  async forgetRecorded(before: Date): Promise<void> {
    await this.database.query('DELETE FROM policy_decisions WHERE at < $1', [before]);
  }
}

function fromRow(row: BundleRow): StoredBundle {
  const { schema, policies } = row;
  const bundle = PolicyBundle.parse({ version: Number(row.version), schema, policies });
  return { ...bundle, source: row.source, changedBy: row.changed_by, reason: row.reason, changedAt: row.changed_at };
}
