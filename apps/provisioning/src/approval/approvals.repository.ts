import { Injectable } from '@nestjs/common';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { Ask } from '../enrolment/ask.js';
import type { Approval, ApprovalLimits, ApprovalQuery } from './approval.js';
import { ApprovalBook } from './approval-book.js';

interface Row {
  readonly sequence: string;
  readonly id: string;
  readonly manufacturer: string;
  readonly serial_number: string;
  readonly device_id: DeviceId;
  readonly label: string;
  readonly csr_sha256: string;
  readonly key_thumbprint: string;
  readonly presented: Thumbprint;
  readonly remote_address: string;
  readonly decision: Approval['decision'];
  readonly requested_at: Date;
  readonly expires_at: Date;
  readonly decided_at: Date | null;
  readonly decided_by: string | null;
  readonly reason: string | null;
  readonly used_at: Date | null;
}

interface DeviceOf {
  readonly deviceId: DeviceId;
  readonly manufacturer: string;
}

export type ListedApproval = Approval & { readonly sequence: string };

/** Enrolments held for an operator. None is deleted: who let which device in stays known. */
@Injectable()
export class Approvals {
  constructor(private readonly database: Database) {}

  /**
   * What was asked for the devices of those that need an operator's word, and is not over. Holds each manufacturer's name until the end
   * of `tx`, so that no two requests are counted as the last that fits: take it after the devices' locks.
   */
  async bookOf(
    tx: EntityManager,
    asked: readonly { readonly ask: Pick<Ask, 'operation' | 'label'>; readonly device: DeviceOf }[],
    limits: ApprovalLimits,
    now: Date,
  ): Promise<ApprovalBook> {
    const concerned = asked.filter(({ ask }) => ask.operation === 'enrol' && ask.label.policy.bootstrap === 'approve');
    if (concerned.length === 0) return new ApprovalBook(new Map(), new Map(), limits);
    const deviceIds = concerned.map(({ device }) => device.deviceId);
    const manufacturers = concerned.map(({ device }) => device.manufacturer);
    for (const manufacturer of [...new Set(manufacturers)].sort()) {
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('provisioning.approvals.' || $1::text, 0))`, [
        manufacturer,
      ]);
    }
    const rows: Row[] = await tx.query(
      'SELECT * FROM enrolment_approvals WHERE device_id = ANY($1) AND expires_at > $2 ORDER BY sequence',
      [deviceIds, now],
    );
    const counts: { manufacturer: string; n: string }[] = await tx.query(
      `SELECT manufacturer, count(*) AS n FROM enrolment_approvals
       WHERE manufacturer = ANY($1) AND decision = 'pending' AND expires_at > $2 GROUP BY manufacturer`,
      [manufacturers, now],
    );
    const ofDevice = Map.groupBy(rows.map(approvalOf), ({ deviceId }) => deviceId);
    return new ApprovalBook(ofDevice, new Map(counts.map(({ manufacturer, n }) => [manufacturer, Number(n)])), limits);
  }

  /** Keeps what the book gained. */
  async save(tx: EntityManager, book: ApprovalBook, now: Date): Promise<void> {
    for (const approval of book.filed) await this.add(tx, approval);
    if (book.used.length === 0) return;
    await tx.query('UPDATE enrolment_approvals SET used_at = $2 WHERE id = ANY($1) AND used_at IS NULL', [
      book.used,
      now,
    ]);
  }

  private async add(tx: EntityManager, approval: Approval): Promise<void> {
    const a = approval;
    await tx.query(
      `INSERT INTO enrolment_approvals (id, manufacturer, serial_number, device_id, label, csr_sha256, key_thumbprint, presented,
         remote_address, decision, requested_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
      [
        a.id,
        a.manufacturer,
        a.serialNumber,
        a.deviceId,
        a.label,
        a.csrSha256,
        a.keyThumbprint,
        a.presented,
        a.remoteAddress,
        a.decision,
        a.requestedAt,
        a.expiresAt,
      ],
    );
  }

  async lock(tx: EntityManager, id: string): Promise<Approval | undefined> {
    const [row]: Row[] = await tx.query('SELECT * FROM enrolment_approvals WHERE id = $1 FOR UPDATE', [id]);
    return row && approvalOf(row);
  }

  async decided(tx: EntityManager, approval: Approval): Promise<void> {
    const { id, decision, decidedAt, decidedBy, reason, expiresAt } = approval;
    await tx.query(
      `UPDATE enrolment_approvals SET decision = $2, decided_at = $3, decided_by = $4, reason = $5, expires_at = $6 WHERE id = $1`,
      [id, decision, decidedAt, decidedBy, reason, expiresAt],
    );
  }

  /** Newest first. */
  async page({ state, device, after }: ApprovalQuery, limit: number, now: Date): Promise<ListedApproval[]> {
    const rows = await this.database.query<Row>(
      `SELECT * FROM enrolment_approvals
       WHERE ($1::text IS NULL OR $1 = CASE WHEN used_at IS NOT NULL THEN 'issued' WHEN expires_at <= $2 THEN 'expired' ELSE decision END)
         AND ($3::text IS NULL OR device_id = $3) AND ($4::bigint IS NULL OR sequence < $4)
       ORDER BY sequence DESC LIMIT $5`,
      [state ?? null, now, device ?? null, after ?? null, limit],
    );
    return rows.map((row) => ({ ...approvalOf(row), sequence: row.sequence }));
  }
}

function approvalOf(row: Row): Approval {
  return {
    id: row.id,
    manufacturer: row.manufacturer,
    serialNumber: row.serial_number,
    deviceId: row.device_id,
    label: row.label,
    csrSha256: row.csr_sha256,
    keyThumbprint: row.key_thumbprint,
    presented: row.presented,
    remoteAddress: row.remote_address,
    decision: row.decision,
    requestedAt: row.requested_at,
    expiresAt: row.expires_at,
    decidedAt: row.decided_at,
    decidedBy: row.decided_by,
    reason: row.reason,
    usedAt: row.used_at,
  };
}
