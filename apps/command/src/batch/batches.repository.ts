import { Injectable } from '@nestjs/common';
import type { CommandState } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { CommandId, DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { Evidence, RequestedAs } from '../command/command.js';
import type { Batch, BatchLine, BatchState, BatchStep, KeptTarget } from './batch.js';

interface Row {
  readonly id: string;
  readonly position: string;
  readonly name: string;
  readonly parameters: Record<string, unknown>;
  readonly critical: boolean;
  readonly target: KeptTarget;
  readonly matched: number;
  readonly state: BatchState;
  readonly requested_by: string;
  readonly requested_identity: string | null;
  readonly requested_people: string[];
  readonly requested_as: RequestedAs;
  readonly evidence: Evidence;
  readonly created_at: Date;
  readonly approval_expires_at: Date | null;
  readonly not_before: Date | null;
  readonly expiry_seconds: number;
  readonly timeout_seconds: number;
  readonly started_at: Date | null;
}

/** What came of one vehicle of a batch. */
export interface BatchDevice {
  readonly device_id: DeviceId;
  readonly state: 'pending' | 'sent' | 'refused' | 'cancelled';
  readonly code: string | null;
  readonly detail: string | null;
  readonly command_id: CommandId | null;
  readonly command_state: CommandState | null;
}

export type BatchResult = Pick<BatchDevice, 'device_id' | 'code' | 'detail' | 'command_id'> & {
  readonly state: 'sent' | 'refused';
};

/** Batches, their vehicles and their history. */
@Injectable()
export class Batches {
  constructor(private readonly database: Database) {}

  async insert(tx: EntityManager, step: BatchStep, devices: readonly DeviceId[]): Promise<void> {
    const { batch } = step;
    await tx.query(
      `INSERT INTO batches (id, name, parameters, critical, target, matched, state, requested_by, requested_identity,
         requested_as, evidence, created_at, approval_expires_at, not_before, expiry_seconds, timeout_seconds, started_at,
         requested_people)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
      [
        batch.id,
        batch.name,
        JSON.stringify(batch.parameters),
        batch.critical,
        JSON.stringify(batch.target),
        batch.matched,
        batch.state,
        batch.requestedBy,
        batch.requestedIdentity,
        JSON.stringify(batch.requestedAs),
        JSON.stringify(batch.evidence),
        batch.createdAt,
        batch.approvalExpiresAt,
        batch.notBefore,
        batch.expirySeconds,
        batch.timeoutSeconds,
        batch.startedAt,
        batch.requestedPeople,
      ],
    );
    await tx.query(
      `INSERT INTO batch_devices (batch_id, device_id, state) SELECT $1, id, 'pending' FROM unnest($2::text[]) AS t (id)`,
      [batch.id, devices],
    );
    await this.note(tx, step);
  }

  /** No other batch is stored until this transaction ends: what was counted before holds. */
  async lockAll(tx: EntityManager): Promise<void> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtext('command.batches'))`);
  }

  /** To how many vehicles any of these people, or this account, have sent since then without a second one's word. */
  async sentAlone(
    { people, account }: { readonly people: readonly string[]; readonly account: string },
    since: Date,
    on: Pick<EntityManager, 'query'> = this.database.dataSource,
  ): Promise<number> {
    const [row] = await on.query<{ sum: number }[]>(
      `SELECT coalesce(sum(matched), 0)::int AS sum FROM batches
       WHERE approval_expires_at IS NULL AND created_at > $3 AND (requested_people && $1::text[] OR requested_by = $2)`,
      [people, account, since],
    );
    return row?.sum ?? 0;
  }

  /** Of a row that is locked. */
  async save(tx: EntityManager, step: BatchStep): Promise<void> {
    const { id, state, startedAt } = step.batch;
    await tx.query('UPDATE batches SET state = $2, started_at = $3 WHERE id = $1', [id, state, startedAt]);
    await this.note(tx, step);
  }

  /** @throws DomainError `command.batch_not_found` */
  async mustLock(tx: EntityManager, id: string): Promise<Batch> {
    return one(await tx.query<Row[]>('SELECT * FROM batches WHERE id = $1 FOR UPDATE', [id]));
  }

  /** @throws DomainError `command.batch_not_found` */
  async mustFind(id: string): Promise<Batch> {
    return one(await this.database.query<Row>('SELECT * FROM batches WHERE id = $1', [id]));
  }

  /** Newest first, `before` a position. */
  async list(
    before: string | undefined,
    limit: number,
  ): Promise<{ readonly batch: Batch; readonly position: string }[]> {
    const rows = await this.database.query<Row>(
      `SELECT * FROM batches WHERE $1::bigint IS NULL OR position < $1::bigint ORDER BY position DESC LIMIT $2`,
      [before ?? null, limit],
    );
    return rows.map((row) => ({ batch: fromRow(row), position: row.position }));
  }

  /** Those that something is left to do for, oldest first; of those that wait for somebody, only where that has taken too long. */
  async open(limit: number, now: Date): Promise<Batch[]> {
    const rows = await this.database.query<Row>(
      `SELECT * FROM batches WHERE state IN ('running', 'cancelling')
         OR (state = 'awaiting_approval' AND approval_expires_at <= $2)
       ORDER BY position LIMIT $1`,
      [limit, now],
    );
    return rows.map(fromRow);
  }

  async pending(id: string, limit: number): Promise<DeviceId[]> {
    const rows = await this.database.query<{ device_id: DeviceId }>(
      `SELECT device_id FROM batch_devices WHERE batch_id = $1 AND state = 'pending' ORDER BY device_id LIMIT $2`,
      [id, limit],
    );
    return rows.map(({ device_id }) => device_id);
  }

  /** Settles vehicles that still had nothing; returns which. */
  async settleDevices(tx: EntityManager, id: string, results: readonly BatchResult[]): Promise<Set<DeviceId>> {
    const rows = await tx.query<{ device_id: DeviceId }[]>(
      `WITH settled AS (
         UPDATE batch_devices b SET state = r.state, code = r.code, detail = r.detail, command_id = r.command_id
         FROM jsonb_to_recordset($2::jsonb) AS r (device_id text, state text, code text, detail text, command_id uuid)
         WHERE b.batch_id = $1 AND b.device_id = r.device_id AND b.state = 'pending' RETURNING b.device_id)
       SELECT device_id FROM settled`,
      [id, JSON.stringify(results)],
    );
    return new Set(rows.map(({ device_id }) => device_id));
  }

  async cancelPending(tx: EntityManager, id: string): Promise<void> {
    await tx.query(`UPDATE batch_devices SET state = 'cancelled' WHERE batch_id = $1 AND state = 'pending'`, [id]);
  }

  /** Its commands that can be taken back, at most `limit`. */
  async cancellable(id: string, limit: number): Promise<CommandId[]> {
    const rows = await this.database.query<{ id: CommandId }>(
      `SELECT id FROM commands WHERE batch_id = $1 AND state IN ('queued', 'offered', 'challenged')
       ORDER BY position LIMIT $2`,
      [id, limit],
    );
    return rows.map((row) => row.id);
  }

  /** How many vehicles are where: by what came of them, and by the state of their commands. */
  async counts(id: string): Promise<{ devices: Record<string, number>; commands: Record<string, number> }> {
    const count = async (sql: string) => {
      const rows = await this.database.query<{ state: string; n: number }>(sql, [id]);
      return Object.fromEntries(rows.map(({ state, n }) => [state, n]));
    };
    const [devices, commands] = await Promise.all([
      count('SELECT state, count(*)::int AS n FROM batch_devices WHERE batch_id = $1 GROUP BY state ORDER BY state'),
      count('SELECT state, count(*)::int AS n FROM commands WHERE batch_id = $1 GROUP BY state ORDER BY state'),
    ]);
    return { devices, commands };
  }

  /** In the order of their ids, `after` one of them. */
  devices(id: string, after: string, limit: number): Promise<BatchDevice[]> {
    return this.database.query<BatchDevice>(
      `SELECT b.device_id, b.state, b.code, b.detail, b.command_id, c.state AS command_state
       FROM batch_devices b LEFT JOIN commands c ON c.id = b.command_id
       WHERE b.batch_id = $1 AND b.device_id > $2 ORDER BY b.device_id LIMIT $3`,
      [id, after, limit],
    );
  }

  history(id: string): Promise<BatchLine[]> {
    return this.database.query<BatchLine>(
      'SELECT state, who, reason, at, evidence FROM batch_history WHERE batch_id = $1 ORDER BY id',
      [id],
    );
  }

  private async note(tx: EntityManager, { batch, who, reason, at, evidence }: BatchStep): Promise<void> {
    await tx.query(
      'INSERT INTO batch_history (batch_id, state, who, reason, at, evidence) VALUES ($1, $2, $3, $4, $5, $6)',
      [batch.id, batch.state, who, reason, at, evidence ? JSON.stringify(evidence) : null],
    );
  }
}

function one(rows: readonly Row[]): Batch {
  const [row] = rows;
  if (!row) throw new DomainError('command.batch_not_found');
  return fromRow(row);
}

function fromRow(row: Row): Batch {
  return {
    id: row.id,
    name: row.name,
    parameters: row.parameters,
    critical: row.critical,
    target: row.target,
    matched: row.matched,
    state: row.state,
    requestedBy: row.requested_by,
    requestedIdentity: row.requested_identity,
    requestedPeople: row.requested_people,
    requestedAs: row.requested_as,
    evidence: row.evidence,
    createdAt: row.created_at,
    approvalExpiresAt: row.approval_expires_at,
    notBefore: row.not_before,
    expirySeconds: row.expiry_seconds,
    timeoutSeconds: row.timeout_seconds,
    startedAt: row.started_at,
  };
}
