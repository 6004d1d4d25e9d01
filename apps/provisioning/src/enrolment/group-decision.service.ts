import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { EntityManager } from 'typeorm';
import { Approvals } from '../approval/approvals.repository.js';
import { newcomerOf } from '../bootstrap/newcomer.js';
import type { CertificateRow } from '../certificate/certificate.entity.js';
import type { Config } from '../config.js';
import type { DeviceRow } from '../device/device.entity.js';
import { newDevice } from '../device/registry.service.js';
import { CloneFactsRepository } from '../finding/clone-facts.repository.js';
import type { Finding } from '../finding/finding.js';
import { Findings } from '../finding/findings.service.js';
import type { Label } from '../label/label.js';
import { Manufacturers } from '../manufacturer/manufacturers.service.js';
import type { Ask } from './ask.js';
import { EstClients } from './clients.service.js';
import { decide, type Knowledge } from './decide.js';
import type { Decision } from './decision.js';
import { Denied } from './denied.service.js';
import type { Settled } from './group-queue.js';
import { overlapSecondsOf } from './overlap-seconds.js';
import { place, takenName } from './place.js';
import { checkRequested } from './requested-name.js';
import { factoryKeyOf } from './suspect.js';
import type { SigningRequest, WorkingSet } from './working-set.js';
import { type FactoryIdentity, WorkingSets } from './working-set.repository.js';

/** What the first transaction came to. */
export type Decided =
  | { readonly kind: 'issued'; readonly row: CertificateRow }
  | { readonly kind: 'pending'; readonly retryAfterSeconds: number }
  /** Kept, so that a retry asks fleet-ca for the same. */
  | {
      readonly kind: 'sign';
      readonly request: SigningRequest;
      /** To be registered together with its first certificate. */
      readonly newcomer: DeviceRow | undefined;
    };

/** One request, its device known. */
interface Placed {
  readonly device: DeviceRow;
  readonly isNew: boolean;
}

/** What the decisions of one group share. */
interface Group extends Knowledge {
  readonly set: WorkingSet<CertificateRow>;
  readonly found: { readonly placed: Placed; readonly label: Label; readonly findings: readonly Finding[] }[];
}

/** The first transaction of a group: who asks -> denylist -> decision -> what will be asked of fleet-ca, kept. */
@Injectable()
export class GroupDecision {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly database: Database,
    private readonly clients: EstClients,
    private readonly manufacturers: Manufacturers,
    private readonly denied: Denied,
    private readonly sets: WorkingSets,
    private readonly cloneFacts: CloneFactsRepository,
    private readonly approvals: Approvals,
    private readonly findings: Findings,
  ) {}

  async decide(asks: readonly Ask[]): Promise<Settled<Decided>[]> {
    const now = new Date();
    const identified = await this.identify(asks, now);
    return this.database.transaction(async (tx) => {
      const placed = await this.placeAll(tx, asks, identified, now);
      const group = await this.load(tx, asks, placed, now);
      const decided = asks.map((ask, at) => settled(() => this.decideOne(ask, unwrap(placed[at]), group, now)));
      await this.sets.save(tx, group.set, now);
      await this.approvals.save(tx, group.approvals, now);
      await this.cloneFacts.remember(tx, group.memory.noted);
      // What was found stands though the request is refused.
      for (const { placed, label, findings } of group.found) {
        await this.findings.raise(tx, placed.device, findings, label, now, placed.isNew);
      }
      return decided;
    });
  }

  /** The device of each request, its row locked; one that nobody registered has no row yet. */
  private async placeAll(
    tx: EntityManager,
    asks: readonly Ask[],
    identified: readonly Settled<FactoryIdentity[]>[],
    now: Date,
  ): Promise<Settled<Placed>[]> {
    const identitiesAt = (at: number) => (identified[at]?.ok ? identified[at].value : []);
    const names = asks.flatMap(({ client, label }, at) => {
      const name = client.kind === 'fleet' ? client.deviceId : newcomerOf(label.policy, identitiesAt(at))?.deviceId;
      return name === undefined ? [] : [name];
    });
    const devices = await this.sets.lockDevices(
      tx,
      names,
      asks.flatMap((_ask, at) => identitiesAt(at)),
    );
    const made = new Map<DeviceId, DeviceRow>();
    return asks.map((ask, at) =>
      settled(() => {
        const found = place(ask, unwrap(identified[at]), devices);
        if (found.kind === 'registered') return { device: found.device, isNew: false };
        const { deviceId: device_id, manufacturer, serialNumber: serial_number } = found.newcomer;
        const before = takenName(found.newcomer, made.get(device_id));
        const device = before ?? newDevice({ device_id, manufacturer, serial_number }, now);
        made.set(device_id, device);
        return { device, isNew: true };
      }),
    );
  }

  private async load(
    tx: EntityManager,
    asks: readonly Ask[],
    placed: readonly Settled<Placed>[],
    now: Date,
  ): Promise<Group> {
    const known = asks.flatMap((ask, at) => (placed[at]?.ok ? [{ ask, device: placed[at].value.device }] : []));
    const ids = [...new Set(known.map(({ device }) => device.deviceId))];
    const subjects = known.map(({ ask, device }) => subjectOf(ask, device.deviceId));
    return {
      set: await this.sets.load(tx, subjects, undefined, now),
      memory: await this.cloneFacts.memory(
        tx,
        ids,
        asks.flatMap((ask) => factoryKeyOf(ask) ?? []),
      ),
      approvals: await this.approvals.bookOf(tx, known, this.config.approvals, now),
      found: [],
    };
  }

  private async identify(asks: readonly Ask[], now: Date): Promise<Settled<FactoryIdentity[]>[]> {
    const factory = asks.some(({ client }) => client.kind === 'factory');
    const manufacturers = factory ? await this.manufacturers.all() : [];
    return asks.map(({ client }) =>
      settled(() => (client.kind === 'factory' ? this.clients.identitiesOf(client, manufacturers, now) : [])),
    );
  }

  private decideOne(ask: Ask, placed: Placed, group: Group, now: Date): Decided {
    const { device, isNew } = placed;
    const { deviceId } = device;
    const { label, client, request, remoteAddress } = ask;
    const presented = client.certificate.thumbprint;
    this.checkAsked(ask, deviceId);
    const decision = decide(ask, device, group, overlapSecondsOf(this.config.labels), now);
    group.found.push({ placed, label, findings: decision.findings });
    const { keyThumbprint } = request;
    const factoryKeyThumbprint = factoryKeyOf(ask);
    group.memory.note({ deviceId, presented, keyThumbprint, remoteAddress, at: now, factoryKeyThumbprint });
    switch (decision.kind) {
      case 'sign': {
        const newcomer = isNew ? device : undefined;
        return { kind: 'sign', request: group.set.openRequest(newRequest(ask, deviceId, now)), newcomer };
      }
      case 'pending':
        if (decision.file) group.approvals.file(newApproval(ask, device), now);
        return decision;
      case 'again':
        return { kind: 'issued', row: heldOf(group.set, deviceId, decision.thumbprint) };
      case 'refuse':
        this.logger.warn({ deviceId, askedBy: presented, code: decision.code }, decision.detail);
        throw refusalOf(decision);
    }
  }

  /** What speaks against it whatever the registry holds. */
  private checkAsked({ client, request }: Ask, deviceId: DeviceId): void {
    this.denied.checkCertificate(client.certificate, deviceId);
    checkRequested(request, deviceId, this.config.trustDomain);
    this.denied.check({ keyThumbprint: request.keyThumbprint });
  }
}

export function subjectOf({ client, request }: Ask, deviceId: DeviceId) {
  return { deviceId, keyThumbprint: request.keyThumbprint, askedBy: client.certificate.thumbprint };
}

function newApproval({ client, request, label, csrSha256, remoteAddress }: Ask, device: DeviceRow) {
  const { deviceId, manufacturer, serialNumber } = device;
  const { keyThumbprint } = request;
  const presented = client.certificate.thumbprint;
  const [id, name] = [randomUUID(), label.name];
  return { id, deviceId, manufacturer, serialNumber, label: name, csrSha256, keyThumbprint, presented, remoteAddress };
}

function newRequest(ask: Ask, deviceId: DeviceId, now: Date): SigningRequest {
  const { name, policy } = ask.label;
  return {
    requestId: randomUUID(),
    deviceId,
    operation: ask.operation,
    askedBy: ask.client.certificate.thumbprint,
    keyThumbprint: ask.request.keyThumbprint,
    label: name,
    profile: policy.profile,
    authority: policy.authority,
    csr: Buffer.from(ask.request.der),
    csrSha256: ask.csrSha256,
    lifetimeSeconds: policy.lifetimeSeconds,
    createdAt: now,
    thumbprint: null,
  };
}

export function heldOf(set: WorkingSet<CertificateRow>, deviceId: DeviceId, thumbprint: string): CertificateRow {
  const held = set.heldBy(deviceId).find((one) => one.thumbprint === thumbprint);
  if (!held) throw new Error('a decision for a certificate that is not held');
  return held;
}

export function refusalOf({ code, detail, retryAfterSeconds }: Extract<Decision, { kind: 'refuse' }>): DomainError {
  return new DomainError(code, { detail, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) });
}

/** A refusal is one request's own; a bug fails the group, which is then tried one by one. */
export function settled<R>(work: () => R): Settled<R> {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { ok: false, error };
  }
}

function unwrap<R>(one: Settled<R> | undefined): R {
  if (one?.ok) return one.value;
  throw one ? one.error : new Error('an item was not settled');
}
