import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import { Approvals } from '../approval/approvals.repository.js';
import { CertificateRow } from '../certificate/certificate.entity.js';
import type { Config } from '../config.js';
import type { DeviceRow } from '../device/device.entity.js';
import { Devices, type Move } from '../device/devices.repository.js';
import { CloneMemory } from '../finding/clone-memory.js';
import type { Finding } from '../finding/finding.js';
import { Findings } from '../finding/findings.service.js';
import type { Label } from '../label/label.js';
import { Manufacturers } from '../manufacturer/manufacturers.service.js';
import type { Ask } from './ask.js';
import { decide, type Knowledge } from './decide.js';
import { FleetCa, type Signed } from './fleet-ca.client.js';
import { heldOf, refusalOf, settled } from './group-decision.service.js';
import type { Settled } from './group-queue.js';
import { overlapSecondsOf } from './overlap-seconds.js';
import { isOf } from './place.js';
import type { SigningRequest, WorkingSet } from './working-set.js';
import { WorkingSets } from './working-set.repository.js';

/** An ask whose signing request is kept. */
export interface ToIssue {
  readonly ask: Ask;
  readonly request: SigningRequest;
  /** To be registered together with it. */
  readonly newcomer: DeviceRow | undefined;
}

/** What one transaction knows and finds. */
interface Desk extends Knowledge {
  readonly set: WorkingSet<CertificateRow>;
  readonly devices: ReadonlyMap<DeviceId, DeviceRow>;
  readonly manufacturers: ReadonlySet<string>;
  readonly found: { readonly device: DeviceRow; readonly label: Label; readonly findings: readonly Finding[] }[];
}

/**
 * fleet-ca signs for a group, and the second transaction keeps what it signed: decided again, since no lock was held while fleet-ca
 * worked. A certificate that is not kept is never handed out; the retry asks for the same one.
 */
@Injectable()
export class GroupIssue {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly database: Database,
    private readonly devices: Devices,
    private readonly fleetCa: FleetCa,
    private readonly sets: WorkingSets,
    private readonly manufacturers: Manufacturers,
    private readonly approvals: Approvals,
    private readonly findings: Findings,
  ) {}

  async issue(group: readonly ToIssue[]): Promise<Settled<CertificateRow>[]> {
    const requests = [...new Map(group.map(({ request }) => [request.requestId, request])).values()];
    const signed = await this.fleetCa.sign(requests, new Date());
    const toKeep = group.filter(({ request }) => signed.get(request.requestId)?.ok);
    const kept = toKeep.length > 0 ? await this.keepAll(toKeep, signed) : new Map<ToIssue, Settled<CertificateRow>>();
    return group.map((one) => kept.get(one) ?? failed(signed.get(one.request.requestId)));
  }

  private keepAll(group: readonly ToIssue[], signed: ReadonlyMap<string, Settled<Signed>>) {
    const now = new Date();
    return this.database.transaction(async (tx) => {
      await this.sets.lockKeys(
        tx,
        group.map(({ request }) => request.keyThumbprint),
      );
      // Before any device is locked, in one order for everyone: see `Registry.registerIn`.
      await this.devices.add(tx, newcomersOf(group), { who: 'provisioning', why: 'let in by its factory certificate' });
      const rows = await this.sets.lockDevices(
        tx,
        group.map(({ request }) => request.deviceId),
        [],
      );
      const devices = new Map(rows.map((row) => [row.deviceId, row]));
      const ids = group.map(({ request }) => request.requestId);
      const set = await this.sets.load(
        tx,
        group.map(({ request }) => request),
        ids,
        now,
      );
      const asked = group.flatMap(({ ask, request }) => {
        const device = devices.get(request.deviceId);
        return device ? [{ ask, device }] : [];
      });
      const approvals = await this.approvals.bookOf(tx, asked, this.config.approvals, now);
      const names = await this.manufacturers.names(tx);
      // Where it asked from was remembered, and compared, in the first transaction.
      const memory = new CloneMemory(new Map(), new Map());
      const desk: Desk = { set, memory, approvals, devices, manufacturers: names, found: [] };
      const kept = new Map<ToIssue, Settled<CertificateRow>>();
      for (const one of group) {
        const result = signed.get(one.request.requestId);
        if (!result?.ok) continue;
        kept.set(
          one,
          settled(() => this.keepOne(one, result.value, desk, now)),
        );
      }
      await this.devices.moveAll(tx, movesOf(set, devices), now);
      await this.sets.save(tx, set, now);
      await this.approvals.save(tx, approvals, now);
      for (const { device, label, findings } of desk.found) await this.findings.raise(tx, device, findings, label, now);
      return kept;
    });
  }

  private keepOne({ ask, request, newcomer }: ToIssue, signed: Signed, desk: Desk, now: Date): CertificateRow {
    const { deviceId } = request;
    const { set, approvals } = desk;
    const device = desk.devices.get(deviceId);
    // Somebody else may have taken the name, or the hardware is known to be gone.
    if (!device || (newcomer && !isOf(device, newcomer)))
      throw new DomainError('est.device_unknown', { detail: deviceId });
    if (ask.client.kind === 'factory' && !desk.manufacturers.has(device.manufacturer)) {
      throw new DomainError('est.manufacturer_unknown', { detail: `${device.manufacturer} was removed` });
    }
    // Its hardware was swapped meanwhile: what asked is in the device no more.
    if (ask.client.kind === 'factory' && ask.client.serialNumber !== device.serialNumber) {
      throw new DomainError('est.device_unknown', { detail: deviceId });
    }
    const faster = set.answerTo(request.requestId, deviceId, now);
    if (faster) return faster;
    const decision = decide(ask, device, desk, overlapSecondsOf(this.config.labels), now);
    switch (decision.kind) {
      case 'sign': {
        const row = newCertificate(ask, request, signed, now);
        set.keep(row, request.requestId, now);
        if (decision.approval !== undefined) approvals.use(decision.approval);
        return row;
      }
      case 'again':
        return heldOf(set, deviceId, decision.thumbprint);
      case 'refuse':
        desk.found.push({ device, label: ask.label, findings: decision.findings });
        throw refusalOf(decision);
      case 'pending':
        throw new DomainError('est.certificate_refused', { detail: 'the approval ran out meanwhile' });
    }
  }
}

/** One row of each, by their names. */
function newcomersOf(group: readonly ToIssue[]): DeviceRow[] {
  const rows = group.flatMap(({ newcomer }) => newcomer ?? []);
  const byName = new Map(rows.map((row) => [row.deviceId, row]));
  return [...byName.keys()].sort().flatMap((name) => byName.get(name) ?? []);
}

function movesOf(set: WorkingSet<CertificateRow>, devices: ReadonlyMap<DeviceId, DeviceRow>): Move[] {
  const enrolled = new Map(set.newCertificates.map(({ deviceId, askedBy }) => [deviceId, askedBy]));
  return [...enrolled].flatMap(([deviceId, askedBy]) => {
    const device = devices.get(deviceId);
    const act = { who: `vehicle:${askedBy}`, why: 'enrolled' };
    return device ? [{ device, event: { kind: 'enrolled' as const }, act }] : [];
  });
}

function failed(signed: Settled<Signed> | undefined): Settled<CertificateRow> {
  if (signed && !signed.ok) return signed;
  return { ok: false, error: new DomainError('service.upstream_invalid', { detail: 'fleet-ca left a request out' }) };
}

function newCertificate(
  ask: Ask,
  request: SigningRequest,
  { certificate, issuerKeyId }: Signed,
  now: Date,
): CertificateRow {
  return Object.assign(new CertificateRow(), {
    thumbprint: certificate.thumbprint,
    deviceId: request.deviceId,
    issuerKeyId,
    serialNumber: certificate.serialNumber,
    keyThumbprint: certificate.keyThumbprint,
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    der: Buffer.from(certificate.der),
    status: 'pending',
    askedBy: ask.client.certificate.thumbprint,
    operation: ask.operation,
    label: request.label,
    csrSha256: request.csrSha256,
    createdAt: now,
    firstSeenAt: null,
    overlapEndsAt: null,
    supersededBy: null,
    supersededAt: null,
    revokedAt: null,
    revocationReason: null,
    releasedAt: null,
  } satisfies CertificateRow);
}
