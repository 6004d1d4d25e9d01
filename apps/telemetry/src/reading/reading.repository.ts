import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { Position } from './cursor.js';
import type { StoredMessage } from './stored-message.js';

const START: Position = ['0', '' as Position[1], '' as Position[2], 0 as Position[3], '0'];

/**
 * Messages in order of receipt. `received_at` is the start of the transaction that stored them, so a page ends before the start of the
 * oldest transaction still open: whoever follows the cursors sees every message once, also those committed late.
 */
@Injectable()
export class ReadingRepository {
  constructor(private readonly database: Database) {}

  /** At most `limit` messages after `after`, of one device or of all. */
  page(deviceId: DeviceId | undefined, after: Position | undefined, limit: number): Promise<StoredMessage[]> {
    return this.select(deviceId, after ?? START, limit, 'ASC');
  }

  /** The last `count` messages, in order of receipt. */
  async latest(deviceId: DeviceId | undefined, count: number): Promise<StoredMessage[]> {
    return (await this.select(deviceId, START, count, 'DESC')).reverse();
  }

  private select(
    deviceId: DeviceId | undefined,
    [receivedUs, ...rest]: Position,
    limit: number,
    order: 'ASC' | 'DESC',
  ): Promise<StoredMessage[]> {
    const ofDevice = deviceId === undefined ? '' : 'AND device_id = $7';
    const ordered = ['received_at', 'device_id', 'stream', 'epoch', 'seq']
      .map((column) => `${column} ${order}`)
      .join(', ');
    return this.database.query<StoredMessage>(
      `
      SELECT device_id, stream, epoch, seq, ts, received_at, payload, signature, thumbprint, canonical_sha256,
        (extract(epoch FROM received_at) * 1000000)::bigint::text AS received_us
      FROM messages
      WHERE (received_at, device_id, stream, epoch, seq)
          > (timestamptz 'epoch' + $1::bigint * interval '1 microsecond', $2, $3, $4::int, $5::bigint)
        AND received_at < (
          SELECT least(now() - interval '50 milliseconds', min(xact_start))
          FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid())
        ${ofDevice}
      ORDER BY ${ordered}
      LIMIT $6`,
      [receivedUs, ...rest, limit, ...(deviceId === undefined ? [] : [deviceId])],
    );
  }
}
