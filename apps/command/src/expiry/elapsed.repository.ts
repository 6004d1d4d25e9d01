import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { CommandRow } from '../command/command.entity.js';

@Injectable()
export class Elapsed {
  /** Locks up to `limit` commands whose time may be over; rows that others hold are left for the next round. */
  lock(tx: EntityManager, now: Date, limit: number): Promise<CommandRow[]> {
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
}
