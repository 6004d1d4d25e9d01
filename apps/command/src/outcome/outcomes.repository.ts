import { Injectable } from '@nestjs/common';
import type { CommandId, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { OutcomeView } from '../send/command-view.js';
import type { OutcomePayload } from './outcome.js';

interface OutcomeRow {
  jws: string;
  result: string;
  detail: string | null;
  data: unknown;
  executed_at: Date;
  received_at: Date;
}

@Injectable()
export class Outcomes {
  constructor(private readonly database: Database) {}

  /** Keeps the vehicle's word as it came, for good. */
  async insert(
    tx: EntityManager,
    compact: string,
    thumbprint: Thumbprint,
    payload: OutcomePayload,
    now: Date,
  ): Promise<void> {
    const { command_id, result, detail = null, data = null, time } = payload;
    await tx.query(
      `INSERT INTO outcomes (command_id, jws, thumbprint, result, detail, data, executed_at, received_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [command_id, compact, thumbprint, result, detail, data && JSON.stringify(data), new Date(time * 1000), now],
    );
  }

  /** The compact JWS that stands for this command, if any. */
  async standing(tx: EntityManager, id: CommandId): Promise<string | undefined> {
    const [row] = await tx.query<{ jws: string }[]>('SELECT jws FROM outcomes WHERE command_id = $1', [id]);
    return row?.jws;
  }

  async find(id: CommandId): Promise<OutcomeView | undefined> {
    const [row] = await this.database.query<OutcomeRow>('SELECT * FROM outcomes WHERE command_id = $1', [id]);
    if (!row) return undefined;
    return {
      result: row.result,
      ...(row.detail === null ? {} : { detail: row.detail }),
      ...(row.data === null ? {} : { data: row.data }),
      executed_at: row.executed_at.toISOString(),
      received_at: row.received_at.toISOString(),
      jws: row.jws,
    };
  }
}
