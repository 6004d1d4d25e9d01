import { Inject, Injectable } from '@nestjs/common';
import type { Enforcement, RevocationReason } from '@outrider/contracts';
import type { OperatorAdmission } from '@outrider/platform/admission';
import { Database } from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import { Certificates } from '../certificate/certificates.repository.js';
import type { Config } from '../config.js';
import { DenylistRepository } from '../denylist/denylist.repository.js';
import { EnforcementService } from '../enforcement/enforcement.service.js';
import { Descendants } from './descendants.service.js';
import { askerOf, OutOfServicePolicy } from './out-of-service-policy.service.js';
import { parseReason } from './reason.js';
import { type KnownCertificate, type RevokeInput, requireAgreement, revoke } from './revoke.js';
import { namesOf, type RevokeBody, type RevokeTarget, targetOf } from './revoke-request.js';
import { SaveRevocation } from './save-revocation.service.js';
import { isCertificate, Targets } from './targets.service.js';

const WAIT_MS = 10_000;

interface Revoked {
  readonly serial?: string | undefined;
  readonly thumbprint?: string | undefined;
  readonly device_id?: string | undefined;
  readonly key?: string | undefined;
}

export interface RevokeAnswer extends Partial<Enforcement> {
  readonly revoked: readonly Revoked[];
  readonly reason: RevocationReason;
  /** Nothing happened: this is what would have. */
  readonly dry_run?: {
    readonly certificates: number;
    readonly fresh: number;
    readonly devices: number;
    readonly keys: number;
  };
}

export type Operator = Pick<OperatorAdmission, 'subject' | 'claims'>;

type Done = Pick<RevokeAnswer, 'revoked' | 'reason' | 'dry_run'> & { readonly sequence: number };

/** One revocation. What PostgreSQL has committed is revoked; who enforces it already, the answer says. */
@Injectable()
export class RevokeService {
  private readonly entryGraceMs: number;

  constructor(
    private readonly database: Database,
    private readonly certificates: Certificates,
    private readonly denylist: DenylistRepository,
    private readonly targets: Targets,
    private readonly descendants: Descendants,
    private readonly saveRevocation: SaveRevocation,
    private readonly enforcement: EnforcementService,
    private readonly policy: OutOfServicePolicy,
    @Inject(CONFIG) config: Config,
  ) {
    this.entryGraceMs = (config.denylist.renewalGraceSeconds + config.denylist.skewSeconds) * 1000;
  }

  async revoke(body: RevokeBody, wait: 'enforced' | undefined, operator: Operator, now: Date): Promise<RevokeAnswer> {
    const target = targetOf(body);
    const reason = parseReason(body.reason);
    // Beside each other: both are on the way from revoke to refusal.
    this.policy.askAhead(target.deviceId);
    const isKnown = await this.targets.learn(target, body.force ?? false);
    await this.policy.requireNotForbidden('revoke', target, reason, askerOf(operator), now);
    const by = operator.subject;
    const dryRun = body.dry_run ?? false;
    const done = await this.database.transaction(async (tx) => {
      if (!dryRun) await this.denylist.lock(tx);
      const at = await this.denylist.time(tx);
      if (isKnown) return this.revokeKnown(tx, target, reason, by, at, dryRun);
      return this.revokeForced(tx, target, reason, by, at, dryRun);
    });
    if (dryRun) return done;
    const enforcement = await this.enforcement.of(done.sequence, performance.now(), wait ? WAIT_MS : 0);
    return { ...done, ...enforcement };
  }

  /** Revokes, in the transaction that learned of it, a certificate whose ancestor, key, device or issuer already is. */
  async revokeLate(tx: EntityManager, named: KnownCertificate, reason: RevocationReason, now: Date): Promise<void> {
    const { entryGraceMs } = this;
    // Without its device: a key shared with another one is no reason to take that whole device out.
    const input: RevokeInput = { named, device: undefined, related: [], reason, entryGraceMs };
    const decided = revoke(input);
    const descended = await this.descendants.of(tx, [decided], now);
    await this.saveRevocation.save(tx, [decided, ...descended], 'revocation', now);
  }

  private async revokeKnown(
    tx: EntityManager,
    target: RevokeTarget,
    reason: RevocationReason,
    by: string,
    now: Date,
    dryRun: boolean,
  ): Promise<Done> {
    const named = await this.targets.named(tx, target);
    if (named) requireAgreement(target, named.ref);
    const deviceId = named ? named.ref.deviceId : target.deviceId;
    const keyThumbprint = named ? named.ref.keyThumbprint : target.keyThumbprint;
    const isKey = !named && !deviceId && keyThumbprint !== undefined;
    const decided = revoke({
      named,
      device: deviceId && (await this.certificates.device(tx, deviceId)),
      key: isKey ? await this.certificates.key(tx, keyThumbprint) : undefined,
      related: await this.certificates.related(
        tx,
        deviceId ? [deviceId] : [],
        keyThumbprint ? [keyThumbprint] : [],
        now,
      ),
      reason,
      entryGraceMs: this.entryGraceMs,
    });
    const all = [decided, ...(await this.descendants.of(tx, [decided], now))];
    const covered = all.flatMap((one) => one.covered);
    const revoked = covered.map((ref) => ({
      serial: ref.serialNumber,
      thumbprint: ref.thumbprint,
      device_id: ref.deviceId,
    }));
    const { freshDevice, freshKey } = decided;
    if (dryRun) {
      const counts = {
        certificates: covered.length,
        fresh: all.flatMap(({ fresh }) => fresh).length,
        devices: freshDevice ? 1 : 0,
        keys: freshKey ? 1 : 0,
      };
      return { revoked, reason: decided.reason, dry_run: counts, sequence: 0 };
    }
    return { revoked, reason: decided.reason, sequence: await this.saveRevocation.save(tx, all, by, now) };
  }

  private async revokeForced(
    tx: EntityManager,
    target: RevokeTarget,
    reason: RevocationReason,
    by: string,
    now: Date,
    dryRun: boolean,
  ): Promise<Done> {
    const names = namesOf(target);
    const isNamed = isCertificate(target);
    const { deviceId, keyThumbprint } = target;
    // What is denied besides, or instead: a device whose key is compromised, or what was named alone.
    const alone = isNamed ? reason === 'keyCompromise' && deviceId : (deviceId ?? keyThumbprint);
    const denied = isNamed && !dryRun ? await this.saveRevocation.saveForced(tx, target, reason, by, now) : 0;
    if (!alone) {
      const dry = dryRun ? { dry_run: { certificates: 1, fresh: 1, devices: 0, keys: 0 } } : {};
      return { revoked: [names], reason, sequence: denied, ...dry };
    }
    const rest: RevokeTarget = deviceId ? { deviceId } : { keyThumbprint };
    const done = await this.revokeKnown(tx, rest, reason, by, now, dryRun);
    return {
      ...done,
      revoked: [...(isNamed ? [names] : []), ...done.revoked],
      sequence: Math.max(denied, done.sequence),
    };
  }
}
