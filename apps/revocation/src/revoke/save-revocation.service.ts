import { Inject, Injectable } from '@nestjs/common';
import { serialValue } from '@outrider/admission';
import { type CertificateRef, certificateRevoked, deviceRevoked, type RevocationReason } from '@outrider/contracts';
import { afterCommit, Outbox, outboxMessage } from '@outrider/platform/postgres';
import { CONFIG, currentTrace, TrustFiles } from '@outrider/platform/service';
import { crlShard } from '@outrider/x509';
import type { EntityManager } from 'typeorm';
import type { Config } from '../config.js';
import { CrlPublisher } from '../crl/crl-publisher.service.js';
import { DenylistService } from '../denylist/denylist.service.js';
import { type RevocationAct, Revocations, type RevokedCertificate } from './revocations.repository.js';
import { entry, type Revocation } from './revoke.js';
import type { RevokeTarget } from './revoke-request.js';

/** Saves what was decided, in the caller's transaction: rows, denylist, events; and after its commit a CRL where a key is compromised. */
@Injectable()
export class SaveRevocation {
  constructor(
    private readonly revocations: Revocations,
    private readonly denylist: DenylistService,
    private readonly crls: CrlPublisher,
    private readonly outbox: Outbox,
    private readonly trust: TrustFiles,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @returns the sequence that covers it. */
  async save(tx: EntityManager, revocation: Revocation, by: string, now: Date): Promise<number> {
    const act = actOf(revocation.reason, by, now);
    const certificates = revocation.fresh.map((ref) => ({ ...ref, crlShard: this.shardOf(ref) }));
    await this.revocations.add(tx, certificates, act);
    if (revocation.freshDevice) await this.revocations.addDevice(tx, revocation.freshDevice, act);
    await this.announce(tx, revocation, act);
    this.hurryCrls(tx, certificates, revocation.reason);
    const { sequence } = await this.denylist.claim(tx, 'revoke', revocation.claims, now);
    return sequence;
  }

  /**
   * Denies a certificate that nobody knows: by its serial number, as each vehicle issuing CA's that is trusted, and by its thumbprint.
   * No event: it has no device.
   */
  async saveForced(
    tx: EntityManager,
    { serialNumber, thumbprint }: RevokeTarget,
    reason: RevocationReason,
    by: string,
    now: Date,
  ): Promise<number> {
    const issuers = serialNumber ? this.trust.vehicleCa.map(({ subjectKeyId }) => subjectKeyId ?? '') : [undefined];
    const claims = [
      ...(serialNumber ? issuers.map((issuer = '') => entry('serial', serialValue(issuer, serialNumber), reason)) : []),
      ...(thumbprint ? [entry('certificate', thumbprint, reason)] : []),
    ];
    for (const issuerKeyId of issuers) {
      const named = serialNumber && issuerKeyId ? { issuerKeyId, serialNumber } : {};
      const certificate = { ...named, ...(thumbprint ? { thumbprint } : {}) };
      if (await this.revocations.isForced(tx, certificate, reason)) continue;
      const forced = { ...certificate, crlShard: this.shardOf(certificate) };
      await this.revocations.add(tx, [forced], actOf(reason, by, now));
      this.hurryCrls(tx, [forced], reason);
    }
    return (await this.denylist.claim(tx, 'revoke', claims, now)).sequence;
  }

  private async announce(tx: EntityManager, revocation: Revocation, act: RevocationAct): Promise<void> {
    const { reason, revokedBy } = act;
    const revokedAt = act.revokedAt.toISOString();
    const messages = revocation.fresh.map((ref) =>
      outboxMessage(certificateRevoked, { ref, reason, revokedAt, revokedBy }),
    );
    const deviceId = revocation.freshDevice;
    if (deviceId) messages.push(outboxMessage(deviceRevoked, { deviceId, reason, revokedAt, revokedBy }, deviceId));
    await this.outbox.addAll(tx, messages);
  }

  /** Of whichever issuer's lists; those that have none are never asked for. */
  private shardOf({ serialNumber }: Partial<CertificateRef>): number | undefined {
    return serialNumber && crlShard(serialNumber, this.config.crl.shardCount);
  }

  private hurryCrls(tx: EntityManager, certificates: readonly RevokedCertificate[], reason: RevocationReason): void {
    if (reason !== 'keyCompromise') return;
    const lists = certificates.flatMap(({ issuerKeyId, crlShard: shard }) =>
      issuerKeyId === undefined || shard === undefined ? [] : [{ issuerKeyId, shard }],
    );
    if (lists.length > 0) afterCommit(tx, () => this.crls.publishSoon(lists));
  }
}

function actOf(reason: RevocationReason, revokedBy: string, revokedAt: Date): RevocationAct {
  return { reason, revokedAt, revokedBy, traceId: currentTrace()?.traceId };
}
