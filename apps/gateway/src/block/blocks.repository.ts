import { Injectable } from '@nestjs/common';
import type { DenylistMode } from '@outrider/contracts';
import type { Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { currentTrace } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { Block, BlockChange } from './block.js';
import { type BlockKind, type BlockTarget, nameOf, targetNamed } from './block-target.js';

/** `device_id`: the target's name (`nameOf`); the version before knew devices alone, and goes on beside this one. */
interface ChangeRow {
  readonly device_id: string;
  readonly kind: BlockKind;
  readonly blocked: boolean;
  readonly mode: DenylistMode;
  readonly reason: string;
  readonly thumbprint: Thumbprint | null;
  readonly ticket: string | null;
  readonly expires_at: Date | null;
  readonly changed_by: string;
  readonly changed_at: Date;
}

interface Row extends ChangeRow {
  readonly version: string;
  readonly delivered_version: string;
}

/** The present blocks and, append-only, how they came about. */
@Injectable()
export class Blocks {
  constructor(private readonly database: Database) {}

  /** Holds the target's name, whether or not it has a row, until the end of `tx`. */
  async lock(tx: EntityManager, target: BlockTarget): Promise<Block | undefined> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('block.' || $1::text, 0))`, [nameOf(target)]);
    return this.find(tx, target);
  }

  /** One delivery at a time for each target: what is delivered last is what was decided last. */
  async lockDelivery(tx: EntityManager, target: BlockTarget): Promise<Block | undefined> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('delivery.' || $1::text, 0))`, [nameOf(target)]);
    return this.find(tx, target);
  }

  async save(tx: EntityManager, block: Block): Promise<void> {
    const values = [
      nameOf(block.target),
      block.target.kind,
      block.blocked,
      block.mode,
      block.reason,
      block.thumbprint ?? null,
      block.ticket ?? null,
      block.expiresAt ?? null,
      block.changedBy,
      block.changedAt,
    ];
    await tx.query(
      `INSERT INTO blocks (device_id, kind, blocked, mode, reason, thumbprint, ticket, expires_at, changed_by, changed_at,
         version, delivered_version)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0)
       ON CONFLICT (device_id) DO UPDATE SET blocked = EXCLUDED.blocked, mode = EXCLUDED.mode, reason = EXCLUDED.reason,
         thumbprint = EXCLUDED.thumbprint, ticket = EXCLUDED.ticket, expires_at = EXCLUDED.expires_at,
         changed_by = EXCLUDED.changed_by, changed_at = EXCLUDED.changed_at, version = EXCLUDED.version`,
      [...values, block.version],
    );
    await tx.query(
      `INSERT INTO block_changes (device_id, kind, blocked, mode, reason, thumbprint, ticket, expires_at, changed_by,
         changed_at, trace_id)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [...values, currentTrace()?.traceId ?? null],
    );
  }

  async delivered(tx: EntityManager, { target, version }: Block): Promise<void> {
    await tx.query('UPDATE blocks SET delivered_version = GREATEST(delivered_version, $2) WHERE device_id = $1', [
      nameOf(target),
      version,
    ]);
  }

  /** Whose state revocation has not taken over, the longest waiting first. */
  async undelivered(limit: number): Promise<BlockTarget[]> {
    const rows = await this.database.query<Row>(
      'SELECT device_id, kind FROM blocks WHERE delivered_version < version ORDER BY changed_at LIMIT $1',
      [limit],
    );
    return rows.map(({ kind, device_id }) => targetNamed(kind, device_id));
  }

  /** Whose time is over, the longest overdue first. */
  async expired(now: Date, limit: number): Promise<BlockTarget[]> {
    const rows = await this.database.query<Row>(
      'SELECT device_id, kind FROM blocks WHERE blocked AND expires_at <= $1 ORDER BY expires_at LIMIT $2',
      [now, limit],
    );
    return rows.map(({ kind, device_id }) => targetNamed(kind, device_id));
  }

  /** What is blocked, by name. */
  async list(kind: BlockKind | undefined, after: string | undefined, limit: number): Promise<Block[]> {
    const rows = await this.database.query<Row>(
      `SELECT * FROM blocks WHERE blocked AND ($1::text IS NULL OR kind = $1) AND device_id > $2 ORDER BY device_id LIMIT $3`,
      [kind ?? null, after ?? '', limit],
    );
    return rows.map(blockOf);
  }

  /** Every change, the latest first; of one target where it is given. `before`: the id below which to go on. */
  async history(target: BlockTarget | undefined, before: string | undefined, limit: number): Promise<BlockChange[]> {
    const rows = await this.database.query<ChangeRow & { readonly id: string; readonly trace_id: string | null }>(
      `SELECT * FROM block_changes WHERE ($1::text IS NULL OR device_id = $1) AND ($2::bigint IS NULL OR id < $2)
       ORDER BY id DESC LIMIT $3`,
      [target ? nameOf(target) : null, before ?? null, limit],
    );
    return rows.map((row) => ({ ...changeOf(row), id: row.id, traceId: row.trace_id ?? undefined }));
  }

  private async find(tx: EntityManager, target: BlockTarget): Promise<Block | undefined> {
    const [row]: Row[] = await tx.query('SELECT * FROM blocks WHERE device_id = $1', [nameOf(target)]);
    return row && blockOf(row);
  }
}

function changeOf(row: ChangeRow) {
  return {
    target: targetNamed(row.kind, row.device_id),
    blocked: row.blocked,
    mode: row.mode,
    reason: row.reason,
    thumbprint: row.thumbprint ?? undefined,
    ticket: row.ticket ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    changedBy: row.changed_by,
    changedAt: row.changed_at,
  };
}

function blockOf(row: Row): Block {
  return { ...changeOf(row), version: Number(row.version), deliveredVersion: Number(row.delivered_version) };
}
