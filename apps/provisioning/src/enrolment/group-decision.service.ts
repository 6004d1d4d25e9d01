import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { CertificateRow } from '../certificate/certificate.entity.js';
import type { Config } from '../config.js';
import type { DeviceRow } from '../device/device.entity.js';
import { Manufacturers } from '../manufacturer/manufacturers.service.js';
import type { Ask } from './ask.js';
import { EstClients } from './clients.service.js';
import { decide } from './decide.js';
import { Denied } from './denied.service.js';
import type { Settled } from './group-queue.js';
import { overlapSecondsOf } from './overlap-seconds.js';
import { checkRequested } from './requested-name.js';
import type { SigningRequest, WorkingSet } from './working-set.js';
import { type FactoryIdentity, WorkingSets } from './working-set.repository.js';

/** What the first transaction came to. */
export type Decided =
  | { readonly kind: 'issued'; readonly row: CertificateRow }
  | { readonly kind: 'pending'; readonly retryAfterSeconds: number }
  /** Kept, so that a retry asks fleet-ca for the same. */
  | { readonly kind: 'sign'; readonly request: SigningRequest };

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
  ) {}

  async decide(asks: readonly Ask[]): Promise<Settled<Decided>[]> {
    const now = new Date();
    const identified = await this.identify(asks, now);
    return this.database.transaction(async (tx) => {
      const wanted = asks.flatMap(({ client }) => (client.kind === 'fleet' ? [client.deviceId] : []));
      const devices = await this.sets.lockDevices(
        tx,
        wanted,
        identified.flatMap((one) => (one.ok ? one.value : [])),
      );
      const placed = asks.map((ask, at) => settled(() => deviceOf(ask, unwrap(identified[at]), devices)));
      const subjects = asks.flatMap((ask, at) => subjectOf(ask, placed[at]));
      const set = await this.sets.load(tx, subjects, undefined, now);
      const decided = asks.map((ask, at) => settled(() => this.decideOne(ask, unwrap(placed[at]), set, now)));
      await this.sets.save(tx, set, now);
      return decided;
    });
  }

  private async identify(asks: readonly Ask[], now: Date): Promise<Settled<FactoryIdentity[]>[]> {
    const factory = asks.some(({ client }) => client.kind === 'factory');
    const manufacturers = factory ? await this.manufacturers.all() : [];
    return asks.map(({ client }) =>
      settled(() => (client.kind === 'factory' ? this.clients.identitiesOf(client, manufacturers, now) : [])),
    );
  }

  private decideOne(ask: Ask, device: DeviceRow, set: WorkingSet<CertificateRow>, now: Date): Decided {
    const { deviceId } = device;
    const { certificate } = ask.client;
    this.denied.checkCertificate(certificate, deviceId);
    checkRequested(ask.request, deviceId, this.config.trustDomain);
    this.denied.check({ keyThumbprint: ask.request.keyThumbprint });
    const decision = decide(ask, device, set, overlapSecondsOf(this.config.labels), now);
    switch (decision.kind) {
      case 'sign':
        return { kind: 'sign', request: set.openRequest(newRequest(ask, deviceId, now)) };
      case 'pending':
        return decision;
      case 'again':
        return { kind: 'issued', row: heldOf(set, deviceId, decision.thumbprint) };
      case 'refuse':
        this.logger.warn({ deviceId, askedBy: certificate.thumbprint, code: decision.code }, decision.detail);
        throw new DomainError(decision.code, { detail: decision.detail });
    }
  }
}

/** @throws DomainError `est.device_unknown`, `est.certificate_refused` */
function deviceOf(ask: Ask, identities: readonly FactoryIdentity[], devices: readonly DeviceRow[]): DeviceRow {
  const { client } = ask;
  if (client.kind === 'fleet') {
    const device = devices.find(({ deviceId }) => deviceId === client.deviceId);
    if (device) return device;
    throw new DomainError('est.certificate_refused', { detail: 'the certificate was not handed out here' });
  }
  // Several only where cross-signed manufacturers gave the same serial number.
  const [device, ...more] = devices.filter((row) =>
    identities.some((one) => one.manufacturer === row.manufacturer && one.serialNumber === row.serialNumber),
  );
  if (device && more.length === 0) return device;
  const names = identities.map(({ manufacturer }) => manufacturer).join(', ');
  throw new DomainError('est.device_unknown', { detail: `${names}: serialNumber ${client.serialNumber}` });
}

function subjectOf({ client, request }: Ask, placed: Settled<DeviceRow> | undefined) {
  if (!placed?.ok) return [];
  const { deviceId } = placed.value;
  return [{ deviceId, keyThumbprint: request.keyThumbprint, askedBy: client.certificate.thumbprint }];
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
