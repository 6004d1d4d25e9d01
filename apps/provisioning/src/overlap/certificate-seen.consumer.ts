import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { certificateSeen } from '@outrider/contracts';
import { Subscriptions } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { Certificates } from '../certificate/certificates.repository.js';
import { Devices } from '../device/devices.repository.js';
import { Overlap } from './overlap.service.js';

/** Hears of a certificate's first use at the token service. A repetition finds nothing left to do. */
@Injectable()
export class CertificateSeenConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly database: Database,
    private readonly devices: Devices,
    private readonly certificates: Certificates,
    private readonly overlap: Overlap,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.consume(certificateSeen, ({ deviceId, thumbprint, seenAt }) =>
      this.database.transaction(async (tx) => {
        if (!(await this.devices.lock(tx, deviceId))) return;
        const now = new Date();
        const held = await this.certificates.held(tx, deviceId, now);
        await this.overlap.seen(tx, held, thumbprint, new Date(seenAt), now);
      }),
    );
  }
}
