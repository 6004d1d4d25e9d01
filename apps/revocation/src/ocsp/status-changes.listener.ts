import { EventEmitter } from 'node:events';
import { type BeforeApplicationShutdown, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { Schedule } from '@outrider/platform/service';
import type { PoolClient } from 'pg';

const LOOK_EVERY_MS = 1_000;
const PAGE = 5_000;
const CHANNEL = 'revocation_status';

interface Change {
  readonly issuerKeyId: string;
  readonly serialNumber: string;
}

interface Events {
  /** In the order of the commits; of this replica and of any other. */
  changed: [changes: readonly Change[]];
  /** Followed again from here on. Changes may have been missed before, or taken back by a restored backup: what rests on them is to be read anew. */
  resumed: [];
}

/** Tells of every certificate whose status changed, by PostgreSQL's word as soon as it is committed, and by looking once a second should that get lost. */
@Injectable()
export class StatusChanges implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly events = new EventEmitter<Events>();
  /** The last change that was told; undefined until the first look of a connection. */
  private cursor: string | undefined;
  private client: PoolClient | undefined;
  private look: () => void = () => undefined;
  private again = false;
  private stopped = false;

  constructor(
    private readonly database: Database,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.look = this.schedule.every(LOOK_EVERY_MS, 'changes of status could not be read', () => this.round());
    this.look();
  }

  beforeApplicationShutdown(): void {
    this.stopped = true;
    this.drop(this.client);
  }

  /** Whether every change from now on will be told. */
  get isFollowing(): boolean {
    return this.cursor !== undefined;
  }

  private async round(): Promise<void> {
    this.client ??= await this.listen();
    if (this.stopped) this.drop(this.client);
    do {
      this.again = false;
      await this.read();
    } while (this.again);
  }

  private async read(): Promise<void> {
    if (this.client === undefined) return;
    if (this.cursor === undefined) {
      const [row] = await this.database.query<{ id: string }>('SELECT COALESCE(max(id), 0) AS id FROM status_changes');
      this.cursor = row?.id;
      this.events.emit('resumed');
      return;
    }
    for (;;) {
      const changes: readonly (Change & { readonly id: string })[] = await this.database.query(
        `SELECT id, issuer_key_id AS "issuerKeyId", serial_number AS "serialNumber"
         FROM status_changes WHERE id > $1 ORDER BY id LIMIT ${PAGE}`,
        [this.cursor],
      );
      if (this.cursor === undefined) return;
      if (changes.length > 0) this.events.emit('changed', changes);
      this.cursor = changes.at(-1)?.id ?? this.cursor;
      if (changes.length < PAGE) return;
    }
  }

  private async listen(): Promise<PoolClient> {
    const client = await this.database.pool.connect();
    client.on('error', () => this.drop(client));
    client.on('end', () => this.drop(client));
    client.on('notification', () => {
      this.again = true;
      this.look();
    });
    try {
      await client.query(`LISTEN ${CHANNEL}`);
      return client;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  private drop(client: PoolClient | undefined): void {
    if (client === undefined || this.client !== client) return;
    this.client = undefined;
    this.cursor = undefined;
    client.release(true);
  }
}
