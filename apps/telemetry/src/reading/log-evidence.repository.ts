import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { KeptDelivery, KeptSegment } from './kept-log.js';
import { startOf, type TimeRange } from './range.js';
import { LOG_COLUMNS, RECEIVED_US, time } from './reading.repository.js';
import type { StoredMessage } from './stored-message.js';

/** A segment's list of digests is 32 KiB at most. */
const SEGMENTS = 64;
const RECORDS = 100;
const DELIVERIES = 100;

/** What proves the records of offline logs, page by page by the keys. */
@Injectable()
export class LogEvidenceRepository {
  constructor(private readonly database: Database) {}

  /** Deliveries received in a range, in order of receipt, after one. */
  deliveries(deviceId: DeviceId, { from, to }: TimeRange, after: KeptDelivery | undefined): Promise<KeptDelivery[]> {
    const [fromUs] = startOf(from);
    return this.database.query<KeptDelivery>(
      `
      SELECT d.*, ${RECEIVED_US}, e.delivery, e.signature, e.thumbprint FROM (
        SELECT device_id, order_id, log, received_at FROM log_segments
        WHERE device_id = $1 AND received_at >= ${time('$2')} AND ($3::timestamptz IS NULL OR received_at < $3::timestamptz)
        GROUP BY device_id, order_id, log, received_at
      ) AS d LEFT JOIN fetch_order_ends e ON e.device_id = d.device_id AND e.order_id = d.order_id AND e.how = 'fulfilled'
      WHERE (d.received_at, d.order_id, d.log) > (${time('$4')}, $5::uuid, $6)
      ORDER BY d.received_at, d.order_id, d.log LIMIT ${DELIVERIES}`,
      [
        ...[deviceId, fromUs, to ?? null],
        ...[after?.received_us ?? '0', after?.order_id ?? '00000000-0000-0000-0000-000000000000', after?.log ?? ''],
      ],
    );
  }

  /** Segments of one delivery, in order, after a number. */
  segments(deviceId: DeviceId, { order_id, log, received_us }: KeptDelivery, after: string): Promise<KeptSegment[]> {
    return this.database.query<KeptSegment>(
      `
      SELECT order_id, log, segment, received_at, format, head, signature, thumbprint, digests, signer, standing FROM log_segments
      WHERE device_id = $1 AND order_id = $2 AND log = $3 AND segment > $4 AND received_at = ${time('$5')}
      ORDER BY segment LIMIT ${SEGMENTS}`,
      [deviceId, order_id, log, after, received_us],
    );
  }

  /** Records of one delivery, in order of their numbers, after one. */
  records(deviceId: DeviceId, of: KeptDelivery, after: StoredMessage | undefined): Promise<StoredMessage[]> {
    return this.database.query<StoredMessage>(
      `
      SELECT ${LOG_COLUMNS} FROM log_records
      WHERE device_id = $1 AND received_at = ${time('$2')} AND order_id = $3 AND log = $4
        AND (stream, epoch, seq) > ($5, $6::int, $7::bigint)
      ORDER BY stream, epoch, seq LIMIT ${RECORDS}`,
      [deviceId, of.received_us, of.order_id, of.log, after?.stream ?? '', after?.epoch ?? 0, after?.seq ?? '0'],
    );
  }

  /** Records of a range whose segment is not there, as only a hand in the database can leave them. */
  strays(deviceId: DeviceId, { from, to }: TimeRange, after: StoredMessage | undefined): Promise<StoredMessage[]> {
    const [fromUs] = startOf(from);
    return this.database.query<StoredMessage>(
      `
      SELECT ${LOG_COLUMNS} FROM log_records
      WHERE device_id = $1 AND received_at >= ${time('$2')} AND ($3::timestamptz IS NULL OR received_at < $3::timestamptz)
        AND (received_at, stream, epoch, seq) > (${time('$4')}, $5, $6::int, $7::bigint)
        AND NOT EXISTS (
          SELECT FROM log_segments s WHERE s.device_id = $1 AND s.order_id = log_records.order_id AND s.log = log_records.log
            AND s.received_at = log_records.received_at)
      ORDER BY received_at, stream, epoch, seq LIMIT ${RECORDS}`,
      [
        ...[deviceId, fromUs, to ?? null, after?.received_us ?? '0'],
        ...[after?.stream ?? '', after?.epoch ?? 0, after?.seq ?? '0'],
      ],
    );
  }
}
