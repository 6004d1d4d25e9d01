import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { certificateEnrolled, certificateIssued, certificateSuperseded } from '@outrider/contracts';
import { Subscriptions } from '@outrider/platform/nats';
import { CertificateService } from './certificate.service.js';

@Injectable()
export class CertificateConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly certificates: CertificateService,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.consume(certificateIssued, ({ ref, renewedFrom, issuedAt }) =>
      this.certificates.seen(ref, renewedFrom, new Date(issuedAt), new Date()),
    );
    this.subscriptions.consume(certificateEnrolled, ({ ref, renewedFrom, enrolledAt }) =>
      this.certificates.seen(ref, renewedFrom, new Date(enrolledAt), new Date()),
    );
    this.subscriptions.consume(certificateSuperseded, ({ ref }) => this.certificates.superseded(ref, new Date()));
  }
}
