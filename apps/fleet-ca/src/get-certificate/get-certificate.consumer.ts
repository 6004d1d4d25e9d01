import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { certificateGet } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { Subscriptions } from '@outrider/platform/nats';
import { certificateRef } from '../sign-certificate/issued-certificate.js';
import { IssuedCertificates } from '../sign-certificate/issued-certificates.repository.js';

@Injectable()
export class GetCertificateConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly certificates: IssuedCertificates,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.answer(certificateGet, async (by) => {
      const issued = await this.certificates.find(by);
      if (!issued) throw new DomainError('ca.certificate_unknown');
      const { certificate, profile } = issued;
      return { certificate: Buffer.from(certificate.der).toString('base64'), profile, ref: certificateRef(issued) };
    });
  }
}
