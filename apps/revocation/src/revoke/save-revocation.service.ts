import { Inject, Injectable } from '@nestjs/common';
import { serialValue } from '@outrider/admission';
import {
  BATCH_REFS_MAX,
  type CertificateRef,
  certificateBatchRevoked,
  certificateRevoked,
  deviceRevoked,
  type RevocationReason,
} from '@outrider/contracts';
import { afterCommit, Outbox, outboxMessage } from '@outrider/platform/postgres';
import { CONFIG, currentTrace, TrustFiles } from '@outrider/platform/service';
import { crlShard } from '@outrider/x509';
import type { EntityManager } from 'typeorm';
import type { Config } from '../config.js';
import { CrlPublisher } from '../crl/crl-publisher.service.js';
import type { Claim } from '../denylist/claim.js';
import type { Urgency } from '../denylist/denylist.repository.js';
import { DenylistService } from '../denylist/denylist.service.js';
import { Descendants } from './descendants.service.js';
import { isGraver } from './reason.js';
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
    private readonly descendants: Descendants,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** `bulk`: behind all else in the denylist, and no list is made for it alone. @returns the sequence that covers them all. */
  async save(
    tx: EntityManager,
    decided: readonly Revocation[],
    by: string,
    now: Date,
    urgency: Urgency = {},
  ): Promise<number> {
    const act = actOf(by, now);
    const certificates = decided.flatMap(({ fresh, reason }) =>
      fresh.map((ref) => ({ ...ref, reason, crlShard: this.shardOf(ref) })),
    );
    const devices = decided.flatMap(({ freshDevice: value, reason }) => (value ? [{ value, reason }] : []));
    const keys = decided.flatMap(({ freshKey: value, reason }) => (value ? [{ value, reason }] : []));
    await this.revocations.add(tx, certificates, act);
    await this.revocations.addDevices(tx, devices, act);
    await this.revocations.addKeys(tx, keys, act);
    await this.announce(tx, decided, act, urgency.bulk ?? false);
    if (!urgency.bulk) this.hurryCrls(tx, certificates);
    return this.claim(
      tx,
      decided.flatMap(({ claims }) => claims),
      now,
      urgency,
    );
  }

  /**
   * Denies a certificate that nobody knows: by its serial number, as each CA's that is trusted to certify vehicles or services, and by its
   * thumbprint, with what was renewed from it. No event of it: it has no device.
   */
  async saveForced(
    tx: EntityManager,
    { serialNumber, thumbprint }: RevokeTarget,
    reason: RevocationReason,
    by: string,
    now: Date,
  ): Promise<number> {
    const { vehicleCa, infrastructureCa } = this.trust;
    const authorities = [...vehicleCa, ...infrastructureCa];
    const issuers = serialNumber ? authorities.map(({ subjectKeyId }) => subjectKeyId ?? '') : [undefined];
    const claims = [
      ...(serialNumber ? issuers.map((issuer = '') => entry('serial', serialValue(issuer, serialNumber), reason)) : []),
      ...(thumbprint ? [entry('certificate', thumbprint, reason)] : []),
    ];
    for (const issuerKeyId of issuers) {
      const named = serialNumber && issuerKeyId ? { issuerKeyId, serialNumber } : {};
      const certificate = { ...named, ...(thumbprint ? { thumbprint } : {}) };
      if (!isGraver(reason, await this.revocations.forcedReasons(tx, certificate))) continue;
      const forced = { ...certificate, reason, crlShard: this.shardOf(certificate) };
      await this.revocations.add(tx, [forced], actOf(by, now));
      this.hurryCrls(tx, [forced]);
    }
    const descended = await this.descendants.ofNamed(tx, thumbprint ? [thumbprint] : [], [], reason, now);
    if (descended.length > 0) await this.save(tx, descended, by, now);
    return this.claim(tx, claims, now);
  }

  /** What a hold claims apart: a release takes that back, and nothing else. */
  private async claim(tx: EntityManager, claims: readonly Claim[], now: Date, urgency: Urgency = {}): Promise<number> {
    const isHold = ({ reason }: Claim) => reason === 'certificateHold';
    const lasting = claims.filter((claim) => !isHold(claim));
    const held = claims.filter(isHold);
    const changes = [
      lasting.length > 0 ? await this.denylist.claim(tx, 'revoke', lasting, now, urgency) : { sequence: 0 },
      held.length > 0 ? await this.denylist.claim(tx, 'hold', held, now, urgency) : { sequence: 0 },
    ];
    return Math.max(...changes.map(({ sequence }) => sequence));
  }

  private async announce(
    tx: EntityManager,
    decided: readonly Revocation[],
    act: RevocationAct,
    together: boolean,
  ): Promise<void> {
    const { revokedBy } = act;
    const revokedAt = act.revokedAt.toISOString();
    const certificates = together
      ? batches(decided).map((batch) => outboxMessage(certificateBatchRevoked, { ...batch, revokedAt, revokedBy }))
      : decided.flatMap(({ fresh, reason }) =>
          fresh.map((ref) => outboxMessage(certificateRevoked, { ref, reason, revokedAt, revokedBy })),
        );
    const devices = decided.flatMap(({ freshDevice: deviceId, reason }) =>
      deviceId ? [outboxMessage(deviceRevoked, { deviceId, reason, revokedAt, revokedBy }, deviceId)] : [],
    );
    await this.outbox.addAll(tx, [...certificates, ...devices]);
  }

  /** Of whichever issuer's lists; those that have none are never asked for. */
  private shardOf({ serialNumber }: Partial<CertificateRef>): number | undefined {
    return serialNumber && crlShard(serialNumber, this.config.crl.shardCount);
  }

  private hurryCrls(tx: EntityManager, certificates: readonly RevokedCertificate[]): void {
    const isUrgent = certificates.some(
      ({ crlShard: shard, reason }) => shard !== undefined && reason === 'keyCompromise',
    );
    if (isUrgent) afterCommit(tx, () => this.crls.publishSoon());
  }
}

function batches(decided: readonly Revocation[]): { refs: CertificateRef[]; reason: RevocationReason }[] {
  const byReason = Map.groupBy(
    decided.flatMap(({ fresh, reason }) => fresh.map((ref) => ({ ref, reason }))),
    ({ reason }) => reason,
  );
  return [...byReason].flatMap(([reason, all]) =>
    refsInBatches(all.map(({ ref }) => ref)).map((refs) => ({ refs, reason })),
  );
}

export function refsInBatches(refs: readonly CertificateRef[]): CertificateRef[][] {
  const count = Math.ceil(refs.length / BATCH_REFS_MAX);
  return Array.from({ length: count }, (_, n) => refs.slice(n * BATCH_REFS_MAX, (n + 1) * BATCH_REFS_MAX));
}

export function actOf(revokedBy: string, revokedAt: Date): RevocationAct {
  return { revokedAt, revokedBy, traceId: currentTrace()?.traceId };
}
