import { type BeforeApplicationShutdown, Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { denylistAdd, denylistRemove, type Enforcement } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { Nats } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { LOGGER, type Logger, Schedule } from '@outrider/platform/service';
import type { Block } from './block.js';
import type { BlockTarget } from './block-target.js';
import { Blocks } from './blocks.repository.js';

const RETRY_MS = 1000;
const BATCH = 50;
const ANSWER_MS = 1500;

/** Hands blocks to revocation, which owns the denylist: at once, and again from the table until it has taken them over. */
@Injectable()
export class BlockDelivery implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private stopped = false;

  constructor(
    private readonly database: Database,
    private readonly blocks: Blocks,
    private readonly nats: Nats,
    private readonly schedule: Schedule,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(RETRY_MS, 'blocks wait for revocation', () => this.retry());
  }

  beforeApplicationShutdown(): void {
    this.stopped = true;
  }

  /** @returns who enforces the target's present state; undefined where revocation could not be reached: it is tried again. */
  async deliver(target: BlockTarget, waitMs: number): Promise<Enforcement | undefined> {
    try {
      return await this.database.transaction(async (tx) => {
        const block = await this.blocks.lockDelivery(tx, target);
        if (!block) throw new Error(`${target.kind} ${target.value} has no block to deliver`);
        const enforcement = await this.request(block, waitMs);
        await this.blocks.delivered(tx, block);
        return enforcement;
      });
    } catch (error) {
      // The block itself is committed: whatever went wrong here, the table is tried again.
      if (error instanceof DomainError)
        this.logger.warn({ ...target, code: error.code, detail: error.detail }, 'a block is not delivered yet');
      else this.logger.error({ err: error, ...target }, 'the delivery of a block failed');
      return undefined;
    }
  }

  private request({ target: { kind, value }, blocked, mode }: Block, waitMs: number): Promise<Enforcement> {
    const timeout = { timeoutMs: waitMs + ANSWER_MS };
    return blocked
      ? this.nats.request(denylistAdd, { entries: [{ kind, value, mode, reason: 'blocked' }], waitMs }, timeout)
      : this.nats.request(denylistRemove, { entries: [{ kind, value }], waitMs }, timeout);
  }

  private async retry(): Promise<void> {
    for (const target of await this.blocks.undelivered(BATCH)) {
      if (this.stopped || !(await this.deliver(target, 0))) return;
    }
  }
}
