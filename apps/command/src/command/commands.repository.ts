import { Injectable } from '@nestjs/common';
import { type CommandState, commandChanged, deliveryOffered } from '@outrider/contracts';
import type { CommandId, DeviceId } from '@outrider/ids';
import { Nats } from '@outrider/platform/nats';
import { afterCommit, Database, Outbox } from '@outrider/platform/postgres';
import { type EntityManager, In, IsNull } from 'typeorm';
import type { Counter } from '../signing/command-payload.js';
import { CommandRow } from './command.entity.js';
import type { Command, PolicyBasis, RequestedAs, Transition } from './command.js';

const OPEN: CommandState[] = ['queued', 'offered', 'challenged', 'released'];

export interface HistoryLine {
  readonly state: CommandState;
  readonly at: Date;
  readonly reason: string | null;
  readonly policies: readonly string[] | null;
  /** A bigint, as text. */
  readonly policy_version: string | null;
}

@Injectable()
export class Commands {
  constructor(
    private readonly database: Database,
    private readonly outbox: Outbox,
    private readonly nats: Nats,
  ) {}

  /** Accepts a new command: row, history, event; its vehicle's connection hears of it after the commit. */
  async insert(tx: EntityManager, command: Command, basis: PolicyBasis): Promise<void> {
    const { requestedAs } = command;
    const row = { ...command, parameters: command.parameters as object, requestedAs: requestedAs as RequestedAs };
    await tx.insert(CommandRow, row);
    await this.record(tx, { command, at: command.createdAt, basis });
    afterCommit(tx, () => this.nats.publish(deliveryOffered, { commandId: command.id }, command.deviceId));
  }

  async save(tx: EntityManager, transition: Transition): Promise<void> {
    const { id, state, nonce, jws, releasedAt, resolvedAt, reason } = transition.command;
    await tx.update(CommandRow, { id }, { state, nonce, jws, releasedAt, resolvedAt, reason });
    await this.record(tx, transition);
  }

  /** Locks the command of this device; null when it is not this device's or does not exist. */
  lock(tx: EntityManager, id: CommandId, deviceId?: DeviceId): Promise<CommandRow | null> {
    return tx.findOne(CommandRow, {
      where: { id, ...(deviceId ? { deviceId } : {}) },
      lock: { mode: 'pessimistic_write' },
    });
  }

  /** Locks the oldest open command of the device: what it must have next. */
  lockHead(tx: EntityManager, deviceId: DeviceId): Promise<CommandRow | null> {
    return tx.findOne(CommandRow, {
      where: { deviceId, state: In(OPEN) },
      order: { position: 'ASC' },
      lock: { mode: 'pessimistic_write' },
    });
  }

  async hasOpen(deviceId: DeviceId): Promise<boolean> {
    const rows = await this.database.query('SELECT 1 FROM commands WHERE device_id = $1 AND state = ANY($2) LIMIT 1', [
      deviceId,
      OPEN,
    ]);
    return rows.length > 0;
  }

  /** Locks up to `limit` commands whose time may be over; rows that others hold are left for the next round. */
  lockElapsed(tx: EntityManager, now: Date, limit: number): Promise<CommandRow[]> {
    return tx
      .createQueryBuilder(CommandRow, 'c')
      .where(`c.state IN ('queued', 'offered', 'challenged') AND c.expires_at <= :now`, { now })
      .orWhere(`c.state = 'released' AND c.released_at + make_interval(secs => c.timeout_seconds) <= :now`, { now })
      .orderBy('c.position')
      .limit(limit)
      .setLock('pessimistic_write')
      .setOnLocked('skip_locked')
      .getMany();
  }

  lockUnreleased(tx: EntityManager, deviceId: DeviceId): Promise<CommandRow[]> {
    return tx.find(CommandRow, {
      where: { deviceId, state: In(OPEN), jws: IsNull() },
      lock: { mode: 'pessimistic_write' },
    });
  }

  find(id: CommandId): Promise<CommandRow | null> {
    return this.database.dataSource.manager.findOneBy(CommandRow, { id });
  }

  /** Newest first, `before` a position. */
  list(deviceId: DeviceId, before: string | undefined, limit: number): Promise<CommandRow[]> {
    const query = this.database.dataSource.manager
      .createQueryBuilder(CommandRow, 'c')
      .where('c.device_id = :deviceId', { deviceId })
      .orderBy('c.position', 'DESC')
      .limit(limit);
    return (before === undefined ? query : query.andWhere('c.position < :before', { before })).getMany();
  }

  history(id: CommandId): Promise<HistoryLine[]> {
    return this.database.query(
      'SELECT state, at, reason, policies, policy_version FROM command_history WHERE command_id = $1 ORDER BY id',
      [id],
    );
  }

  /** The next counter of the device, under its row's lock: assigned at release, never used twice (DESIGN §7). */
  async nextCounter(tx: EntityManager, deviceId: DeviceId): Promise<Counter> {
    const [row] = await tx.query<{ epoch: number; counter: string }[]>(
      `INSERT INTO counters AS c (device_id, epoch, counter) VALUES ($1, 1, 1)
       ON CONFLICT (device_id) DO UPDATE SET counter = c.counter + 1 RETURNING epoch, counter`,
      [deviceId],
    );
    return { epoch: row!.epoch, counter: Number(row!.counter) };
  }

  private async record(tx: EntityManager, { command, at, reason, basis }: Transition): Promise<void> {
    await tx.query(
      `INSERT INTO command_history (command_id, state, at, reason, policies, policy_version)
       VALUES ($1, $2, $3, $4, $5, $6)`,
      [command.id, command.state, at, reason ?? null, basis?.policies ?? null, basis?.version ?? null],
    );
    const { id: commandId, deviceId, name, state } = command;
    await this.outbox.add(
      tx,
      commandChanged,
      { commandId, deviceId, name, state, at: at.toISOString(), ...(reason ? { reason } : {}) },
      deviceId,
    );
  }
}
