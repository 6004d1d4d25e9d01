import { Injectable } from '@nestjs/common';
import type { CommandId, DeviceId, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { type EntityManager, In } from 'typeorm';
import { CommandRow } from '../command/command.entity.js';
import type { OutcomeView } from '../send/command-view.js';
import type { Counter } from '../signing/command-payload.js';
import type { OutcomePayload } from './outcome.js';

interface OutcomeRow {
  jws: string;
  thumbprint: string;
  result: string;
  detail: string | null;
  data: unknown;
  executed_at: Date;
  received_at: Date;
}

/** A command under lock, and the outcome that stands for it, as it came. */
export interface Answered {
  readonly command: CommandRow;
  readonly standing: string | undefined;
}

/** A verified outcome as it came, by the certificate `thumbprint`. */
export interface Word {
  readonly compact: string;
  readonly thumbprint: Thumbprint;
  readonly payload: OutcomePayload;
}

@Injectable()
export class Outcomes {
  constructor(private readonly database: Database) {}

  /** Locks the commands, in the order of their devices; `standing`: of those that are answered already, by what. */
  async lock(tx: EntityManager, ids: readonly CommandId[]): Promise<Map<CommandId, Answered>> {
    const rows = await tx.find(CommandRow, {
      where: { id: In([...ids]) },
      order: { deviceId: 'ASC' },
      lock: { mode: 'pessimistic_write' },
    });
    const answered = rows.filter(({ resolvedAt }) => resolvedAt !== null).map(({ id }) => id);
    const standing: { command_id: CommandId; jws: string }[] =
      answered.length > 0
        ? await tx.query('SELECT command_id, jws FROM outcomes WHERE command_id = ANY($1)', [answered])
        : [];
    const words = new Map(standing.map(({ command_id, jws }) => [command_id, jws]));
    return new Map(rows.map((command) => [command.id, { command, standing: words.get(command.id) }]));
  }

  /** Keeps the vehicles' words as they came, for good. */
  async insert(tx: EntityManager, words: readonly Word[], now: Date): Promise<void> {
    if (words.length === 0) return;
    await tx.query(
      `INSERT INTO outcomes (command_id, jws, thumbprint, result, detail, data, executed_at, received_at)
       SELECT w.*, $2 FROM jsonb_to_recordset($1::jsonb) AS w (command_id uuid, jws text, thumbprint text, result text,
         detail text, data jsonb, executed_at timestamptz)`,
      [JSON.stringify(words.map(rowOf)), now],
    );
  }

  /** A device that refuses by a counter that was never assigned remembers more than we: its next command begins a new epoch, by nonce. */
  async resync(tx: EntityManager, deviceId: DeviceId, last: Counter): Promise<boolean> {
    const [, raised] = await tx.query<[unknown, number]>(
      `UPDATE counters SET epoch = $2::integer + 1, counter = 0, nonce_bound = true
       WHERE device_id = $1 AND (epoch, counter) < ($2::integer, $3::bigint)`,
      [deviceId, last.epoch, last.counter],
    );
    return raised > 0;
  }

  /** A device that has forgotten the epoch (its disk was restored) takes it again from a command that carries its nonce, and from no other. */
  async leadOn(tx: EntityManager, deviceId: DeviceId, last: Counter): Promise<boolean> {
    const [, changed] = await tx.query<[unknown, number]>(
      'UPDATE counters SET nonce_bound = true WHERE device_id = $1 AND epoch > $2::integer AND NOT nonce_bound',
      [deviceId, last.epoch],
    );
    return changed > 0;
  }

  /** The devices took a command by their nonce: they know the epoch. */
  async synced(tx: EntityManager, deviceIds: readonly DeviceId[]): Promise<void> {
    if (deviceIds.length === 0) return;
    await tx.query('UPDATE counters SET nonce_bound = false WHERE device_id = ANY($1) AND nonce_bound', [deviceIds]);
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
      certificate: row.thumbprint,
      jws: row.jws,
    };
  }
}

function rowOf({ compact, thumbprint, payload }: Word) {
  const { command_id, result, detail, data, time } = payload;
  return { command_id, jws: compact, thumbprint, result, detail, data, executed_at: new Date(time * 1000) };
}
