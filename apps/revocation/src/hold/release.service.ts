import { Injectable } from '@nestjs/common';
import { certificateBatchReleased, certificateReleased, deviceReleased, type Enforcement } from '@outrider/contracts';
import { afterCommit, Database, Outbox, outboxMessage } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { Certificates } from '../certificate/certificates.repository.js';
import { CrlPublisher } from '../crl/crl-publisher.service.js';
import type { EntryName } from '../denylist/claim.js';
import { DenylistRepository, type Urgency } from '../denylist/denylist.repository.js';
import { DenylistService } from '../denylist/denylist.service.js';
import { EnforcementService } from '../enforcement/enforcement.service.js';
import { Jobs } from '../job/jobs.repository.js';
import { askerOf, OutOfServicePolicy } from '../revoke/out-of-service-policy.service.js';
import { requireAgreement } from '../revoke/revoke.js';
import type { Operator } from '../revoke/revoke.service.js';
import { type ReleaseBody, type RevokeTarget, targetOf } from '../revoke/revoke-request.js';
import { actOf, refsInBatches } from '../revoke/save-revocation.service.js';
import { isCertificate, Targets } from '../revoke/targets.service.js';
import { type Release, type ReleaseInput, release } from './release.js';
import { Releases } from './releases.repository.js';

const WAIT_MS = 10_000;

export interface ReleaseAnswer extends Partial<Enforcement> {
  readonly released: readonly {
    readonly serial?: string;
    readonly thumbprint?: string;
    readonly device_id?: string;
    readonly key?: string;
  }[];
  /** What is released may be denied all the same: by a block, a hold of its device or of its key. */
  readonly still_denied: readonly { readonly kind: string; readonly value: string; readonly reason: string }[];
  /** Scheduled revocations of the same, which a release leaves as they are: jobs, and their time. */
  readonly waiting?: readonly { readonly id: string; readonly at: Date }[];
  readonly dry_run?: true;
}

/** Ends holds: in one transaction the rows, the denylist and the events; after it a CRL without them. */
@Injectable()
export class ReleaseService {
  constructor(
    private readonly database: Database,
    private readonly certificates: Certificates,
    private readonly releases: Releases,
    private readonly lock: DenylistRepository,
    private readonly denylist: DenylistService,
    private readonly targets: Targets,
    private readonly enforcement: EnforcementService,
    private readonly policy: OutOfServicePolicy,
    private readonly crls: CrlPublisher,
    private readonly outbox: Outbox,
    private readonly jobs: Jobs,
  ) {}

  /** @throws DomainError `revocation.not_held`, and as a revocation of the same names */
  async release(
    body: ReleaseBody,
    wait: 'enforced' | undefined,
    operator: Operator,
    now: Date,
  ): Promise<ReleaseAnswer> {
    const target = targetOf(body);
    const isKnown = await this.targets.learn(target, true);
    await this.policy.requireNotForbidden('unblock', target, undefined, askerOf(operator), now);
    const done = await this.database.transaction(async (tx) => {
      await this.lock.lock(tx);
      const at = await this.lock.time(tx);
      const decided = release(await this.input(tx, target, isKnown, at));
      const sequence = body.dry_run ? 0 : await this.save(tx, [decided], body.note, operator.subject, at);
      const names = around(decided);
      const still_denied = body.dry_run ? [] : await this.releases.denied(tx, names);
      const waiting = await this.jobs.waitingFor(tx, [...names.map(({ value }) => value), ...serialsOf(decided)]);
      return {
        released: releasedOf(decided, target),
        still_denied,
        ...(waiting.length > 0 ? { waiting } : {}),
        sequence,
      };
    });
    if (body.dry_run) return { released: done.released, still_denied: [], dry_run: true };
    return { ...done, ...(await this.enforcement.of(done.sequence, performance.now(), wait ? WAIT_MS : 0)) };
  }

  /** Within `tx`, under the denylist's lock. @returns the sequence that covers them. */
  async save(
    tx: EntityManager,
    decided: readonly Release[],
    note: string | undefined,
    by: string,
    now: Date,
    urgency: Urgency = {},
  ): Promise<number> {
    if (decided.length === 0) return 0;
    await this.releases.add(tx, decided, note, actOf(by, now));
    const told = { releasedAt: now.toISOString(), releasedBy: by };
    const refs = decided.flatMap(({ certificates }) => certificates.map(({ ref }) => ref));
    await this.outbox.addAll(tx, [
      ...(urgency.bulk
        ? refsInBatches(refs).map((some) => outboxMessage(certificateBatchReleased, { refs: some, ...told }))
        : refs.map((ref) => outboxMessage(certificateReleased, { ref, ...told }))),
      ...decided.flatMap(({ device }) =>
        device ? [outboxMessage(deviceReleased, { deviceId: device.deviceId, ...told }, device.deviceId)] : [],
      ),
    ]);
    if (refs.length > 0 && !urgency.bulk) afterCommit(tx, () => this.crls.publishSoon());
    const names = decided.flatMap((one) => one.names);
    return (await this.denylist.withdrawHeld(tx, names, now, urgency)).sequence;
  }

  private async input(tx: EntityManager, target: RevokeTarget, isKnown: boolean, now: Date): Promise<ReleaseInput> {
    if (isCertificate(target)) {
      if (!isKnown) return { forced: await this.releases.forced(tx, target), related: [] };
      const named = await this.targets.named(tx, target);
      if (named) requireAgreement(target, named.ref);
      return { named, related: [] };
    }
    const { deviceId, keyThumbprint } = target;
    return {
      device: deviceId && (await this.certificates.device(tx, deviceId)),
      key: keyThumbprint === undefined ? undefined : await this.certificates.key(tx, keyThumbprint),
      related: await this.certificates.related(
        tx,
        deviceId ? [deviceId] : [],
        keyThumbprint ? [keyThumbprint] : [],
        now,
      ),
    };
  }
}

/** Every name under which what was released could still be denied. */
function around({ certificates, names }: Release): EntryName[] {
  return [
    ...names,
    ...certificates.flatMap(({ ref }): EntryName[] => [
      { kind: 'key', value: ref.keyThumbprint },
      ...(ref.deviceId ? [{ kind: 'device' as const, value: ref.deviceId }] : []),
    ]),
  ];
}

function serialsOf({ certificates }: Release): string[] {
  return certificates.map(({ ref }) => ref.serialNumber);
}

function releasedOf({ certificates, forced, device, key }: Release, target: RevokeTarget) {
  return [
    ...certificates.map(({ ref }) => ({
      serial: ref.serialNumber,
      thumbprint: ref.thumbprint,
      ...(ref.deviceId ? { device_id: ref.deviceId } : {}),
    })),
    ...(forced
      ? [
          {
            ...(target.serialNumber ? { serial: target.serialNumber } : {}),
            ...(target.thumbprint ? { thumbprint: target.thumbprint } : {}),
          },
        ]
      : []),
    ...(device && certificates.length === 0 ? [{ device_id: device.deviceId }] : []),
    ...(key && certificates.length === 0 ? [{ key: key.keyThumbprint }] : []),
  ];
}
