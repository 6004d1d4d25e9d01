import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { authorityList } from '@outrider/contracts';
import { Subscriptions } from '@outrider/platform/nats';
import { Authorities } from './authorities.service.js';
import { crlPrefix } from './crl-prefix.js';

@Injectable()
export class ListAuthoritiesConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly authorities: Authorities,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.answer(authorityList, async () => ({
      issuers: this.authorities.issuers().map((issuer) => ({
        authority: issuer.authority,
        generation: issuer.generation,
        issuerKeyId: issuer.certificate.subjectKeyId as string,
        crlPrefix: crlPrefix(issuer),
      })),
    }));
  }
}
