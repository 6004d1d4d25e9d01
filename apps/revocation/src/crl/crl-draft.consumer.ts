import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { crlDraftRead } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { Subscriptions } from '@outrider/platform/nats';
import { Crls } from './crl.repository.js';

/** Gives fleet-ca the entries of a list that it is asked to sign; any replica can, whichever wrote them. */
@Injectable()
export class CrlDraftConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly crls: Crls,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.answer(crlDraftRead, async ({ draft, part }) => {
      const der = await this.crls.part(draft, part);
      if (der === undefined) throw new DomainError('revocation.crl_not_found', { detail: 'no such part of a draft' });
      return { entries: Buffer.from(der).toString('base64') };
    });
  }
}
