import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DECISIONS_MADE } from '@outrider/contracts';
import { Subscriptions } from '@outrider/platform/nats';
import { DecisionLog } from './decisions.repository.js';

@Injectable()
export class DecisionConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly log: DecisionLog,
  ) {}

  onApplicationBootstrap(): void {
    for (const contract of DECISIONS_MADE)
      this.subscriptions.consume(contract, (decision, { streamSequence }) => this.log.add(decision, streamSequence));
  }
}
