import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { SERVICE_CERTIFICATE_RENEWALS } from '@outrider/contracts';
import type { Service } from '@outrider/ids';
import { IdentityRenewal, Subscriptions } from '@outrider/platform/nats';
import { RenewService } from './renew-service.service.js';

/** Every service asks on a subject of its own; this process itself. */
@Injectable()
export class RenewServiceConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly renewService: RenewService,
    own: IdentityRenewal,
  ) {
    own.answeredBy(async (request) => {
      const { certificate, issuer } = await renewService.renew('fleet-ca', request, new Date());
      return { certificate: base64(certificate.der), issuer: base64(issuer.der) };
    });
  }

  onApplicationBootstrap(): void {
    for (const contract of SERVICE_CERTIFICATE_RENEWALS) {
      const [service] = contract.from as [Service];
      this.subscriptions.answer(contract, async ({ request }) => {
        const { certificate, issuer } = await this.renewService.renew(service, request, new Date());
        return { certificate: base64(certificate.der), issuer: base64(issuer.der) };
      });
    }
  }
}

function base64(der: Uint8Array): string {
  return Buffer.from(der).toString('base64');
}
