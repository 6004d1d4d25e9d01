import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { certificateSign } from '@outrider/contracts';
import { Subscriptions } from '@outrider/platform/nats';
import { certificateRef } from './issued-certificate.js';
import { SignCertificate } from './sign-certificate.service.js';

@Injectable()
export class SignCertificateConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly signCertificate: SignCertificate,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.answer(certificateSign, async ({ request }) => {
      const { issued, authority } = await this.signCertificate.sign(request, new Date());
      return {
        certificate: base64(issued.certificate.der),
        chain: [base64(authority.certificate.der)],
        ref: certificateRef(issued),
      };
    });
  }
}

function base64(der: Uint8Array): string {
  return Buffer.from(der).toString('base64');
}
