import { Inject, Injectable } from '@nestjs/common';
import type { CertificateRef } from '@outrider/contracts';
import type { Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import type { Config } from '../config.js';
import { DenylistRepository } from '../denylist/denylist.repository.js';
import { DenylistService } from '../denylist/denylist.service.js';
import { standingReason } from '../revoke/reason.js';
import { RevokeService } from '../revoke/revoke.service.js';
import { Certificates } from './certificates.repository.js';

/** Keeps the projection, and takes out of service what comes to light after its device, key or ancestor was: no renewal in flight escapes. */
@Injectable()
export class CertificateService {
  private readonly entryGraceMs: number;

  constructor(
    private readonly database: Database,
    private readonly certificates: Certificates,
    private readonly lock: DenylistRepository,
    private readonly denylist: DenylistService,
    private readonly revokeService: RevokeService,
    @Inject(CONFIG) config: Config,
  ) {
    this.entryGraceMs = (config.denylist.renewalGraceSeconds + config.denylist.skewSeconds) * 1000;
  }

  async seen(ref: CertificateRef, renewedFrom: Thumbprint | undefined, madeAt: Date, now: Date): Promise<void> {
    await this.database.transaction(async (tx) => {
      await this.lock.lock(tx);
      await this.certificates.record(tx, ref, renewedFrom);
      const reasons = await this.certificates.inheritedReasons(tx, ref, renewedFrom, madeAt);
      const [first, ...others] = reasons;
      if (!first) return;
      const [known] = await this.certificates.named(tx, { thumbprints: [ref.thumbprint] });
      if (known)
        await this.revokeService.revokeLate(
          tx,
          known,
          others.reduce((reason, next) => standingReason(next, [reason]), first),
          now,
        );
    });
  }

  /** The old certificate of an overlap that is over: denied, not revoked. */
  async superseded(ref: CertificateRef, now: Date): Promise<void> {
    const until = new Date(Date.parse(ref.notAfter) + this.entryGraceMs);
    await this.database.transaction(async (tx) => {
      await this.lock.lock(tx);
      await this.certificates.record(tx, ref);
      const { thumbprint: value } = ref;
      await this.denylist.claim(
        tx,
        'superseded',
        [{ kind: 'certificate', value, mode: 'deny', reason: 'superseded', until }],
        now,
      );
    });
  }
}
