import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import type { ListQuery } from './list-query.js';

export interface ListedRevocation {
  readonly id: string;
  readonly serial: string | null;
  readonly thumbprint: string | null;
  readonly issuer: string | null;
  readonly device_id: string | null;
  readonly reason: string;
  readonly revoked_at: Date;
  readonly revoked_by: string;
  readonly released_at: Date | null;
  readonly released_by: string | null;
  readonly note: string | null;
}

/** Every revocation of a certificate, the newest first; one that was made graver is there twice. */
@Injectable()
export class RevocationList {
  constructor(private readonly database: Database) {}

  page({
    device_id,
    serial,
    thumbprint,
    reason,
    status,
    after,
    before,
    limit,
  }: ListQuery): Promise<ListedRevocation[]> {
    const values: unknown[] = [];
    const value = (one: unknown) => `$${values.push(one)}`;
    const where = [
      ...(device_id ? [`r.device_id = ${value(device_id)}`] : []),
      ...(serial ? [`r.serial_number = ${value(serial)}`] : []),
      ...(thumbprint ? [`r.thumbprint = ${value(thumbprint)}`] : []),
      ...(reason ? [`r.reason = ${value(reason)}`] : []),
      ...(status ? [`h.id IS ${status === 'released' ? 'NOT NULL' : 'NULL'}`] : []),
      ...((after ?? before) ? [`r.id < ${value(after ?? before)}::bigint`] : []),
    ];
    return this.database.query<ListedRevocation>(
      `SELECT r.id, r.serial_number AS serial, r.thumbprint, r.issuer_key_id AS issuer, r.device_id, r.reason, r.revoked_at,
         r.revoked_by, h.released_at, h.released_by, h.note
       FROM revocations r LEFT JOIN hold_releases h ON h.revocation_id = r.id
       ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''} ORDER BY r.id DESC LIMIT ${value(limit)}`,
      values,
    );
  }
}
