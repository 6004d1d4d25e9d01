import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { certificatesSign } from '@outrider/contracts';
import { Subscriptions } from '@outrider/platform/nats';
import { certificateRef } from './issued-certificate.js';
import { SignCertificate, type SignOutcome } from './sign-certificate.service.js';

const DETAIL_MAX = 1000;

@Injectable()
export class SignCertificateConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly signCertificate: SignCertificate,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.answer(certificatesSign, async ({ request }) => ({
      items: (await this.signCertificate.sign(request, new Date())).map(itemOf),
    }));
  }
}

function itemOf(outcome: SignOutcome) {
  const { requestId } = outcome;
  if ('error' in outcome) {
    const { code, detail, retryAfterSeconds } = outcome.error;
    return { requestId, code, detail: detail?.slice(0, DETAIL_MAX), retryAfterSeconds };
  }
  const { issued, issuer } = outcome;
  const chain = issuer ? [base64(issuer.der)] : [];
  return { requestId, certificate: base64(issued.certificate.der), chain, ref: certificateRef(issued) };
}

function base64(der: Uint8Array): string {
  return Buffer.from(der).toString('base64');
}
