import { Inject, Injectable } from '@nestjs/common';
import { certificateGet, deviceGet, type Enforcement, type RevocationReason } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import type { OperatorAdmission } from '@outrider/platform/admission';
import { Nats } from '@outrider/platform/nats';
import { DeviceContexts, Forbids, operatorAttributes, outOfServiceRequest } from '@outrider/platform/policy';
import { Database } from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import { Certificates } from '../certificate/certificates.repository.js';
import type { Config } from '../config.js';
import { DenylistRepository } from '../denylist/denylist.repository.js';
import { EnforcementService } from '../enforcement/enforcement.service.js';
import { parseReason } from './reason.js';
import { type KnownCertificate, type RevokeInput, requireAgreement, revoke } from './revoke.js';
import { type RevokeBody, type RevokeTarget, targetOf } from './revoke-request.js';
import { SaveRevocation } from './save-revocation.service.js';

const ASK_TIMEOUT_MS = 1000;
const WAIT_MS = 10_000;
const CONTEXT_TIMEOUT_MS = 250;

export interface RevokeAnswer extends Enforcement {
  readonly revoked: readonly {
    serial?: string | undefined;
    thumbprint?: string | undefined;
    device_id?: string | undefined;
  }[];
  readonly reason: RevocationReason;
}

type Operator = Pick<OperatorAdmission, 'subject' | 'claims'>;

type Done = Omit<RevokeAnswer, 'enforcedBy' | 'pending'>;

/** `POST /revoke`. What PostgreSQL has committed is revoked; who enforces it already, the answer says. */
@Injectable()
export class RevokeService {
  private readonly entryGraceMs: number;

  constructor(
    private readonly database: Database,
    private readonly certificates: Certificates,
    private readonly denylist: DenylistRepository,
    private readonly saveRevocation: SaveRevocation,
    private readonly enforcement: EnforcementService,
    private readonly nats: Nats,
    private readonly contexts: DeviceContexts,
    private readonly forbids: Forbids,
    @Inject(CONFIG) config: Config,
  ) {
    this.entryGraceMs = (config.denylist.renewalGraceSeconds + config.denylist.skewSeconds) * 1000;
  }

  async revoke(body: RevokeBody, wait: 'enforced' | undefined, operator: Operator, now: Date): Promise<RevokeAnswer> {
    const target = targetOf(body);
    const reason = parseReason(body.reason);
    const isKnown = await this.learn(target, body.force ?? false);
    await this.requireNotForbidden(target, operator, now);
    const by = operator.subject;
    const done = await this.database.transaction(async (tx) => {
      await this.denylist.lock(tx);
      return isKnown ? this.revokeKnown(tx, target, reason, by, now) : this.revokeForced(tx, target, reason, by, now);
    });
    const enforcement = await this.enforcement.of(done.sequence, performance.now(), wait ? WAIT_MS : 0);
    return { ...done, ...enforcement };
  }

  /**
   * By what gateway says of the vehicle in a moment, or by nothing: its silence holds up no revocation. A certificate of no vehicle is
   * no matter of policies.
   * @throws DomainError `policy.denied`
   */
  private async requireNotForbidden(target: RevokeTarget, { subject, claims }: Operator, now: Date): Promise<void> {
    const deviceId = target.deviceId ?? (await this.deviceOf(target));
    if (!deviceId) return;
    const known = await this.contexts.get(deviceId, CONTEXT_TIMEOUT_MS).catch(() => undefined);
    this.forbids.requireNone(outOfServiceRequest('revoke', subject, operatorAttributes(claims), deviceId, known, now));
  }

  private async deviceOf(target: RevokeTarget): Promise<DeviceId | undefined> {
    const found = await this.database.transaction((tx) => this.certificates.named(tx, target));
    return found[0]?.ref.deviceId;
  }

  /** Revokes, in the transaction that learned of it, a certificate whose ancestor, key or device already is. */
  async revokeLate(tx: EntityManager, named: KnownCertificate, reason: RevocationReason, now: Date): Promise<void> {
    const { entryGraceMs } = this;
    // Without its device: a key shared with another one is no reason to take that whole device out.
    const input: RevokeInput = { named, device: undefined, related: [], reason, entryGraceMs };
    await this.saveRevocation.save(tx, revoke(input), 'revocation', now);
  }

  private async revokeKnown(
    tx: EntityManager,
    target: RevokeTarget,
    reason: RevocationReason,
    by: string,
    now: Date,
  ): Promise<Done> {
    const named = await this.named(tx, target);
    if (named) requireAgreement(target, named.ref);
    const deviceId = named ? named.ref.deviceId : target.deviceId;
    const device = deviceId && (await this.certificates.device(tx, deviceId));
    const related = await this.certificates.related(tx, deviceId, named?.ref.keyThumbprint, now);
    const decided = revoke({ named, device, related, reason, entryGraceMs: this.entryGraceMs });
    const sequence = await this.saveRevocation.save(tx, decided, by, now);
    const revoked = decided.covered.map((ref) => ({
      serial: ref.serialNumber,
      thumbprint: ref.thumbprint,
      device_id: ref.deviceId,
    }));
    return { revoked, reason: decided.reason, sequence };
  }

  private async revokeForced(
    tx: EntityManager,
    target: RevokeTarget,
    reason: RevocationReason,
    by: string,
    now: Date,
  ): Promise<Done> {
    const { serialNumber: serial, thumbprint, deviceId } = target;
    const isCertificate = serial !== undefined || thumbprint !== undefined;
    const denied = isCertificate ? await this.saveRevocation.saveForced(tx, target, reason, by, now) : 0;
    if (!deviceId || (isCertificate && reason !== 'keyCompromise'))
      return { revoked: [{ serial, thumbprint, device_id: deviceId }], reason, sequence: denied };
    const done = await this.revokeKnown(tx, { deviceId }, reason, by, now);
    const named = isCertificate ? [{ serial, thumbprint, device_id: deviceId }] : [];
    return { ...done, revoked: [...named, ...done.revoked], sequence: Math.max(denied, done.sequence) };
  }

  private async named(tx: EntityManager, target: RevokeTarget): Promise<KnownCertificate | undefined> {
    if (!target.serialNumber && !target.thumbprint) return undefined;
    const found = await this.certificates.named(tx, target);
    const fitting =
      found.length > 1 && target.deviceId ? found.filter((c) => c.ref.deviceId === target.deviceId) : found;
    if (fitting.length > 1)
      throw new DomainError('revocation.target_conflict', {
        detail: 'several issuers used this serial: name the thumbprint',
      });
    // Asked for a moment ago and gone now: not possible, rows of this table stay.
    if (found.length === 0) throw new DomainError('revocation.certificate_unknown');
    if (fitting.length === 0) throw new DomainError('revocation.target_conflict');
    return fitting[0];
  }

  /** Makes sure that what is named is in the projection, asking its owner if need be. @returns false where nobody knows it and force stands in. */
  private async learn(target: RevokeTarget, force: boolean): Promise<boolean> {
    const isKnown = await this.database.transaction(async (tx) => {
      const isCertificate = target.serialNumber !== undefined || target.thumbprint !== undefined;
      if (isCertificate) return (await this.certificates.named(tx, target)).length > 0;
      return this.certificates.hasDevice(tx, target.deviceId as DeviceId);
    });
    if (isKnown) return true;
    try {
      const refs = await this.ask(target);
      await this.database.transaction(async (tx) => {
        await this.denylist.lock(tx);
        for (const ref of refs) await this.certificates.record(tx, ref);
      });
      return true;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (force) return false;
      if (error.code === 'ca.certificate_unknown') throw unknown(error, 'no such certificate');
      if (error.code === 'provisioning.device_not_found') throw unknown(error, 'no such device');
      throw new DomainError('service.upstream_unavailable', {
        cause: error,
        detail: 'nobody could say what this names; "force": true denies it anyway',
        retryAfterSeconds: 1,
      });
    }
  }

  private async ask({ serialNumber, thumbprint, deviceId }: RevokeTarget) {
    if (thumbprint)
      return [(await this.nats.request(certificateGet, { thumbprint }, { timeoutMs: ASK_TIMEOUT_MS })).ref];
    if (serialNumber)
      return [(await this.nats.request(certificateGet, { serialNumber }, { timeoutMs: ASK_TIMEOUT_MS })).ref];
    const asked = { deviceId: deviceId as DeviceId };
    return (await this.nats.request(deviceGet, asked, { timeoutMs: ASK_TIMEOUT_MS })).certificates;
  }
}

function unknown(cause: DomainError, what: string): DomainError {
  return new DomainError('revocation.certificate_unknown', {
    cause,
    detail: `${what}; "force": true denies it anyway`,
  });
}
