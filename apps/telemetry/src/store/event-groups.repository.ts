import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import type { QueryConfig } from 'pg';
import type { EntityManager } from 'typeorm';
import type { AcceptedEvent } from './accepted-event.js';
import { packEvents, unpackEvents } from './accepted-event.js';

/** The events of one commit. With `id` and an event's place in the group each has a name that stays when it is sent again. */
export interface EventGroup {
  readonly id: string;
  readonly events: readonly AcceptedEvent[];
}

/** Events that are committed and perhaps not published yet: a row for each commit, gone once JetStream has them. */
@Injectable()
export class EventGroupsRepository {
  constructor(private readonly database: Database) {}

  /** The statement that keeps a group, for the transaction that makes it true. */
  insertion({ id, events }: EventGroup): QueryConfig {
    return {
      name: 'event_groups.insert',
      text: 'INSERT INTO event_groups (id, events) VALUES ($1, $2)',
      values: [id, packEvents(events)],
    };
  }

  /** Forgets what was published. */
  async remove(ids: readonly string[]): Promise<void> {
    await this.database.query('DELETE FROM event_groups WHERE id = ANY($1::uuid[])', [ids]);
  }

  /**
   * Has `publish` send what waits for longer than `seconds`: a few groups, oldest first, none that another instance is at. What it sent is
   * forgotten; when it throws, it stays. Gives how many there were.
   */
  relay(seconds: number, groups: number, publish: (waiting: EventGroup[]) => Promise<void>): Promise<number> {
    return this.database.transaction(async (tx: EntityManager) => {
      const rows: { id: string; events: Buffer }[] = await tx.query(
        `SELECT id, events FROM event_groups WHERE created_at < now() - $1 * interval '1 second'
         ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED`,
        [seconds, groups],
      );
      if (rows.length === 0) return 0;
      await publish(rows.map(({ id, events }) => ({ id, events: unpackEvents(events) })));
      await tx.query('DELETE FROM event_groups WHERE id = ANY($1::uuid[])', [rows.map(({ id }) => id)]);
      return rows.length;
    });
  }
}
