import { type BeforeApplicationShutdown, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Schedule } from '@outrider/platform/service';
import type { Change, Position } from './change.js';
import { Changes } from './changes.repository.js';

const EVERY_MS = 250;
const PAGE = 500;

type Hear = (changes: readonly Change[]) => void;

/** Reads steps of commands once for all who watch on this instance, and only while somebody does. PostgreSQL is all that it needs. */
@Injectable()
export class ChangeFeed implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly hearers = new Set<Hear>();
  private readonly enders = new Set<() => void>();
  private position: Promise<Position> | undefined;
  /** True once the instance stops. */
  stopping = false;

  constructor(
    private readonly changes: Changes,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(EVERY_MS, 'those who watch commands wait', () => this.read());
  }

  beforeApplicationShutdown(): void {
    this.stopping = true;
    for (const end of this.enders) end();
  }

  get watchers(): number {
    return this.hearers.size;
  }

  /** From here on `hear` gets every step behind the returned position, in order, each once; `end` is called when the instance stops. */
  async watch(hear: Hear, end: () => void): Promise<{ readonly from: Position; readonly leave: () => void }> {
    // Alone: what passed while nobody watched is not read.
    if (this.hearers.size === 0) this.position = this.changes.now();
    const leave = () => {
      this.hearers.delete(hear);
      this.enders.delete(end);
    };
    this.hearers.add(hear);
    this.enders.add(end);
    try {
      return { from: await this.position!, leave };
    } catch (error) {
      leave();
      throw error;
    }
  }

  private async read(): Promise<void> {
    for (let more = true; more && this.hearers.size > 0 && this.position; ) {
      const before = this.position;
      const page = await this.changes.after(await before, PAGE);
      // Everybody left meanwhile and somebody came: the page is not theirs.
      if (this.position !== before) return;
      const last = page.at(-1);
      if (last) this.position = Promise.resolve({ txid: last.txid, id: last.id });
      for (const hear of [...this.hearers]) hear(page);
      more = page.length === PAGE;
    }
  }
}
