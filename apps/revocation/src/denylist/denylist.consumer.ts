import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { denylistAdd, denylistRemove } from '@outrider/contracts';
import { Subscriptions } from '@outrider/platform/nats';
import { DenylistService } from './denylist.service.js';

@Injectable()
export class DenylistConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly denylist: DenylistService,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.answer(denylistAdd, ({ entries, waitMs }) => {
      const claims = (wanted: true | undefined) =>
        entries
          .filter(({ lasting }) => lasting === wanted)
          .map(({ until, lasting: _, ...entry }) =>
            until === undefined ? entry : { ...entry, until: new Date(until) },
          );
      return this.denylist.add({ request: claims(undefined), lasting: claims(true) }, waitMs, new Date());
    });
    this.subscriptions.answer(denylistRemove, ({ entries, waitMs }) =>
      this.denylist.remove(entries, waitMs, new Date()),
    );
  }
}
