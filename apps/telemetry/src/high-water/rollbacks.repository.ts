import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { HARD_LIMIT } from '@outrider/replay-window';
import type { HighWaterMark } from './high-water-mark.js';

/** Which marks the database knows nothing of, and the hold on their devices. */
@Injectable()
export class RollbacksRepository {
  constructor(private readonly database: Database) {}

  /**
   * Those of the marks that were committed once and are not known any more: their number is in no window of the device's present epoch.
   * Devices that are held already are left out.
   */
  lost(marks: readonly HighWaterMark[]): Promise<HighWaterMark[]> {
    return this.database.query<HighWaterMark>(
      `
      SELECT m.device_id AS "deviceId", m.stream, m.epoch, m.seq::float8 AS seq
      FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) AS m(device_id, stream, epoch, seq)
      LEFT JOIN devices d ON d.device_id = m.device_id
      LEFT JOIN windows w ON w.device_id = m.device_id AND w.stream = m.stream AND w.epoch = m.epoch
      WHERE d.held_epoch IS NULL AND (
        greatest(d.epoch, d.min_epoch) > m.epoch
        OR window_verdict(w.highest, w.bits, m.seq, $5) IN ('too_old', 'duplicate_or_replayed')
      ) IS NOT TRUE`,
      [...columns(marks), HARD_LIMIT],
    );
  }

  /** Holds the devices of lost marks until an operator opens an epoch for each, and keeps what was lost. Gives those held now. */
  async hold(lost: readonly HighWaterMark[]): Promise<DeviceId[]> {
    const ids = lost.map(({ deviceId }) => deviceId);
    return this.database.transaction(async (tx) => {
      await tx.query(
        'INSERT INTO devices (device_id) SELECT id FROM unnest($1::text[]) AS t(id) ORDER BY id ON CONFLICT DO NOTHING',
        [ids],
      );
      await tx.query('SELECT FROM devices WHERE device_id = ANY($1::text[]) ORDER BY device_id FOR NO KEY UPDATE', [
        ids,
      ]);
      // An epoch that was opened since the marks were compared is above them: such a device is free.
      const held: { device_id: DeviceId }[] = await tx.query(
        `
        WITH lost AS (
          SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) AS m(device_id, stream, epoch, seq)
        ), held AS (
          UPDATE devices d SET held_epoch = l.epoch FROM lost l
          WHERE d.device_id = l.device_id AND d.held_epoch IS NULL AND greatest(d.epoch, d.min_epoch) <= l.epoch
          RETURNING l.device_id, l.stream, l.epoch, l.seq
        )
        INSERT INTO rollbacks (device_id, stream, epoch, seq) SELECT * FROM held RETURNING device_id`,
        columns(lost),
      );
      return held.map(({ device_id }) => device_id);
    });
  }

  async countHeld(): Promise<number> {
    const [row] = await this.database.query<{ n: number }>(
      'SELECT count(*)::int AS n FROM devices WHERE held_epoch IS NOT NULL',
    );
    return row?.n ?? 0;
  }
}

function columns(marks: readonly HighWaterMark[]): unknown[] {
  return [
    marks.map(({ deviceId }) => deviceId),
    marks.map(({ stream }) => stream),
    marks.map(({ epoch }) => epoch),
    marks.map(({ seq }) => seq),
  ];
}
