import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { LOGGER, type Logger, Schedule } from '@outrider/platform/service';
import { BlockService } from './block.service.js';
import { Blocks } from './blocks.repository.js';

const EVERY_MS = 1000;
const BATCH = 100;

/** Lifts blocks whose time is over. The table says which: a restart forgets none, and a gateway that is away lifts nothing. */
@Injectable()
export class BlockExpiry implements OnApplicationBootstrap {
  constructor(
    private readonly blocks: Blocks,
    private readonly service: BlockService,
    private readonly schedule: Schedule,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(EVERY_MS, 'blocks that have expired still stand', () => this.expire(new Date()));
  }

  async expire(now: Date): Promise<void> {
    for (const target of await this.blocks.expired(now, BATCH)) {
      const after = await this.service.expire(target, now);
      if (after) this.logger.info({ ...target, blocked: after.blocked }, 'a block has expired');
    }
  }
}
