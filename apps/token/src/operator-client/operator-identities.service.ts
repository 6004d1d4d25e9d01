import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { operatorsGet } from '@outrider/contracts';
import { Subscriptions } from '@outrider/platform/nats';
import { OperatorAccountRepository } from './operator-account.repository.js';

/** Tells services that need two people who stands behind accounts. */
@Injectable()
export class OperatorIdentities implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly accounts: OperatorAccountRepository,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.answer(operatorsGet, async ({ subjects }) => ({
      operators: await this.accounts.identities(subjects),
    }));
  }
}
