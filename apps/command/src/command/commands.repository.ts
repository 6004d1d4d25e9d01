import { Injectable } from '@nestjs/common';
import type { CommandId, DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { type EntityManager, In, IsNull } from 'typeorm';
import { CommandRow } from './command.entity.js';
import { type HistoryLine, OPEN, type Transition } from './command.js';
import { Transitions } from './transitions.repository.js';

@Injectable()
export class Commands {
  constructor(
    private readonly database: Database,
    private readonly transitions: Transitions,
  ) {}

  /** As `Transitions.save`, of one. */
  save(tx: EntityManager, transition: Transition): Promise<void> {
    return this.transitions.save(tx, [transition]);
  }

  /** Locks the command of this device; null when it is not this device's or does not exist. */
  lock(tx: EntityManager, id: CommandId, deviceId?: DeviceId): Promise<CommandRow | null> {
    return tx.findOne(CommandRow, {
      where: { id, ...(deviceId ? { deviceId } : {}) },
      lock: { mode: 'pessimistic_write' },
    });
  }

  lockUnreleased(tx: EntityManager, deviceId: DeviceId): Promise<CommandRow[]> {
    return tx.find(CommandRow, {
      where: { deviceId, state: In([...OPEN]), jws: IsNull() },
      lock: { mode: 'pessimistic_write' },
    });
  }

  /** Commands for later whose time has come after `since`. */
  due(since: Date, now: Date): Promise<{ readonly id: CommandId; readonly deviceId: DeviceId }[]> {
    return this.database.query(
      `SELECT id, device_id AS "deviceId" FROM commands
       WHERE not_before > $1 AND not_before <= $2 AND not_before IS NOT NULL AND state = 'queued'`,
      [since, now],
    );
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
      'SELECT state, at, reason, policies, policy_version, evidence FROM command_history WHERE command_id = $1 ORDER BY id',
      [id],
    );
  }
}
