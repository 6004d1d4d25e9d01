import { Injectable } from '@nestjs/common';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { SignedHead } from './log-segment.js';
import type { ReceivedHead } from './standing.js';

interface HeadRow {
  segment: string;
  head_sha256: Buffer;
  received_at: Date;
}

/** Heads of logs as vehicles announced them: what proves later that a log was written before. Only ever added to. */
@Injectable()
export class LogHeadsRepository {
  constructor(private readonly database: Database) {}

  /** False when a head of that number is there already. */
  async add(
    deviceId: DeviceId,
    { head, bytes, sha256, signature }: SignedHead,
    thumbprint: Thumbprint,
  ): Promise<boolean> {
    const rows = await this.database.query<object>(
      `INSERT INTO log_heads (device_id, log, segment, head, head_sha256, signature, thumbprint)
       VALUES ($1, $2, $3, $4, decode($5, 'hex'), $6, $7) ON CONFLICT DO NOTHING RETURNING 1`,
      [deviceId, head.log, head.segment, bytes, sha256, signature ?? '', thumbprint],
    );
    return rows.length === 1;
  }

  /** Those of a log from one number to another, both included. */
  async range(deviceId: DeviceId, log: string, from: number, to: number): Promise<ReceivedHead[]> {
    const rows = await this.database.query<HeadRow>(
      `SELECT segment, head_sha256, received_at FROM log_heads
       WHERE device_id = $1 AND log = $2 AND segment BETWEEN $3 AND $4`,
      [deviceId, log, from, to],
    );
    return rows.map(({ segment, head_sha256, received_at }) => ({
      segment: Number(segment),
      sha256: head_sha256.toString('hex'),
      receivedAtMs: received_at.getTime(),
    }));
  }
}
