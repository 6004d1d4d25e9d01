import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';

/** At a time: parts are up to 64 MiB an upload. */
const BATCH = 20;
/** Nobody can be writing to it any more: an order is looked at before each part. */
const GRACE = `interval '1 hour'`;
/** What became of an upload is told for so long. */
const TOLD = `interval '30 days'`;

/** Lets go of uploads whose vehicles never came back: those of orders that have ended or expired. */
@Injectable()
export class UploadSweepRepository {
  constructor(private readonly database: Database) {}

  /** How many were let go; fewer than a batch when there is no more. One that is being finished now is left alone. */
  async sweep(): Promise<{ readonly swept: number; readonly more: boolean }> {
    return this.database.transaction(async (tx) => {
      const dead: { device_id: string; upload_id: string }[] = await tx.query(
        `SELECT u.device_id, u.upload_id FROM log_uploads u
         LEFT JOIN fetch_orders o ON o.device_id = u.device_id AND o.order_id = u.order_id
         LEFT JOIN fetch_order_ends e ON e.device_id = u.device_id AND e.order_id = u.order_id
         WHERE (u.state = 'open' AND (o.expires_at < now() - ${GRACE} OR e.ended_at < now() - ${GRACE}))
           OR (u.state <> 'open' AND u.begun_at < now() - ${TOLD})
         ORDER BY u.device_id, u.upload_id LIMIT ${BATCH} FOR UPDATE OF u SKIP LOCKED`,
      );
      const keys = [dead.map(({ device_id }) => device_id), dead.map(({ upload_id }) => upload_id)];
      for (const table of ['log_upload_parts', 'log_uploads']) {
        await tx.query(
          `DELETE FROM ${table} t USING unnest($1::text[], $2::uuid[]) AS d(device_id, upload_id)
           WHERE t.device_id = d.device_id AND t.upload_id = d.upload_id`,
          keys,
        );
      }
      return { swept: dead.length, more: dead.length === BATCH };
    });
  }
}
