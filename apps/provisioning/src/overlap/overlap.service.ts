import { Inject, Injectable } from '@nestjs/common';
import type { Thumbprint } from '@outrider/ids';
import { CONFIG } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { CertificateRow } from '../certificate/certificate.entity.js';
import { Certificates } from '../certificate/certificates.repository.js';
import type { Config } from '../config.js';
import { overlapSecondsOf } from '../enrolment/overlap-seconds.js';
import { firstUse } from './overlap.js';

@Injectable()
export class Overlap {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly certificates: Certificates,
  ) {}

  /** Notes an authenticated use; the device's row is locked and `held` are its certificates, changed in place. */
  async seen(
    tx: EntityManager,
    held: readonly CertificateRow[],
    thumbprint: Thumbprint,
    seenAt: Date,
    now: Date,
  ): Promise<void> {
    const used = held.find((row) => row.thumbprint === thumbprint);
    if (!used) return;
    const overlapSeconds = overlapSecondsOf(this.config.labels)(used.label);
    const first = firstUse(held, thumbprint, seenAt, overlapSeconds, now);
    if (!first) return;
    for (const row of held) {
      if (row.thumbprint === first.used) {
        Object.assign(row, { status: 'live', firstSeenAt: seenAt } satisfies Partial<CertificateRow>);
        await this.certificates.save(tx, row);
      } else if (row.thumbprint === first.overlap?.thumbprint) {
        Object.assign(row, {
          overlapEndsAt: first.overlap.endsAt,
          supersededBy: first.used,
        } satisfies Partial<CertificateRow>);
        await this.certificates.save(tx, row);
      } else if (first.giveWay.includes(row.thumbprint)) {
        await this.certificates.supersede(tx, row, first.used, now);
      }
    }
  }
}
