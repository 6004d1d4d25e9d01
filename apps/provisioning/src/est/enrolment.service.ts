import { Inject, Injectable } from '@nestjs/common';
import { certificateEnrolled } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { Peer } from '@outrider/platform/http';
import { Database, Outbox } from '@outrider/platform/postgres';
import { CONFIG, LOGGER } from '@outrider/platform/service';
import { type ParsedCertificate, type ParsedCertificationRequest, parseCertificate } from '@outrider/x509';
import type { Logger } from 'pino';
import type { EntityManager } from 'typeorm';
import { CertificateRow } from '../certificate/certificate.entity.js';
import { certificateRef, isLapsed, isPending } from '../certificate/certificate.js';
import { Certificates } from '../certificate/certificates.repository.js';
import type { Config } from '../config.js';
import type { DeviceRow } from '../device/device.entity.js';
import { Devices } from '../device/devices.repository.js';
import type { Label } from '../label/label.js';
import { Overlap } from '../overlap/overlap.service.js';
import { Denied } from './denied.service.js';
import { type Decision, decideEnrol } from './enrol.js';
import { type EstClient, EstClients } from './est-client.service.js';
import { EstDecisions } from './est-decisions.service.js';
import { FleetCa } from './fleet-ca.client.js';
import { decideReEnrol } from './re-enrol.js';
import { checkRequested } from './requested-name.js';
import type { SigningRequestRow } from './signing-request.entity.js';
import { type Ask, SigningRequests } from './signing-requests.repository.js';

export type ReadRequest = () => ParsedCertificationRequest;
export type Enrolled =
  | { readonly kind: 'issued'; readonly certificate: Uint8Array }
  | { readonly kind: 'pending'; readonly retryAfterSeconds: number };

/** A device as one transaction sees it: its row locked. */
interface Locked {
  readonly device: DeviceRow;
  readonly held: readonly CertificateRow[];
  readonly decision: Decision;
}

/**
 * Hands certificates out: who asks -> denylist -> request -> decision, kept -> fleet-ca signs -> decision again, kept with the
 * certificate -> denylist again. No lock is held while fleet-ca works; whatever changed meanwhile the second decision sees.
 */
@Injectable()
export class Enrolment {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly database: Database,
    private readonly outbox: Outbox,
    private readonly clients: EstClients,
    private readonly devices: Devices,
    private readonly certificates: Certificates,
    private readonly requests: SigningRequests,
    private readonly overlap: Overlap,
    private readonly fleetCa: FleetCa,
    private readonly denied: Denied,
    private readonly decisions: EstDecisions,
  ) {}

  /** The fleet certificate for a factory certificate. `read` is called once it is known who asks. */
  enrol(peer: Peer, label: Label, body: ReadRequest): Promise<Enrolled> {
    return this.recorded(
      peer,
      'simpleenroll',
      label,
      body,
      'enrol',
      this.clients.byFactoryCertificate(peer, new Date()),
    );
  }

  /**
   * The successor of a fleet certificate. strongSwan's pki renews whatever certificate it is given, so a factory certificate
   * comes here too: it is an enrolment, and decided as one.
   */
  reEnrol(peer: Peer, label: Label, body: ReadRequest): Promise<Enrolled> {
    const now = new Date();
    const [operation, identified] = this.clients.isFactory(peer, now)
      ? (['enrol', this.clients.byFactoryCertificate(peer, now)] as const)
      : (['re-enrol', this.clients.byFleetCertificate(peer, now)] as const);
    return this.recorded(peer, 'simplereenroll', label, body, operation, identified);
  }

  private async recorded(
    peer: Peer,
    route: string,
    label: Label,
    body: ReadRequest,
    operation: Ask['operation'],
    identified: Promise<EstClient>,
  ): Promise<Enrolled> {
    let client: EstClient | undefined;
    try {
      client = await identified;
      return { kind: 'issued', certificate: await this.handOut(client, operation, label, body) };
    } catch (error) {
      this.decisions.refused(error, peer, route, client?.deviceId);
      throw error;
    }
  }

  private async handOut(
    client: EstClient,
    operation: Ask['operation'],
    label: Label,
    body: ReadRequest,
  ): Promise<Uint8Array> {
    const { deviceId } = client;
    this.denied.checkCertificate(client.certificate, deviceId);
    const request = body();
    checkRequested(request, deviceId, this.config.trustDomain);
    this.denied.check({ keyThumbprint: request.keyThumbprint });
    const askedBy = client.certificate.thumbprint;
    const ask: Ask = { deviceId, operation, askedBy, keyThumbprint: request.keyThumbprint, csr: request.der };
    const row = await this.issue(ask, label);
    // Whoever was denied while this was on its way gets nothing (DESIGN §8).
    this.denied.checkCertificate(parseCertificate(new Uint8Array(row.der)), deviceId);
    return new Uint8Array(row.der);
  }

  private async issue(ask: Ask, label: Label): Promise<CertificateRow> {
    const before = await this.database.transaction(async (tx) => {
      const locked = await this.decide(tx, ask, new Date());
      if (locked.decision.kind !== 'sign') return locked;
      const { lifetimeSeconds } = label.policy;
      return { ...locked, open: await this.requests.open(tx, ask, lifetimeSeconds, new Date()) };
    });
    // Outside the transaction: that the certificate was seen in use stays noted whatever is decided.
    if (!('open' in before)) return this.decided(before, ask);
    const signed = await this.fleetCa.sign(before.open, new Date());
    return this.database.transaction((tx) => this.keep(tx, ask, before.open, signed));
  }

  private async decide(tx: EntityManager, ask: Ask, now: Date): Promise<Locked> {
    const device = await this.devices.mustLock(tx, ask.deviceId);
    const held = await this.certificates.held(tx, ask.deviceId, now);
    const keySpent = await this.certificates.keyIsSpent(tx, ask.keyThumbprint, ask.deviceId);
    const request = { keyThumbprint: ask.keyThumbprint, keySpent };
    if (ask.operation === 'enrol') return { device, held, decision: decideEnrol(device.state, held, request, now) };
    // To renew with it is to use it.
    await this.overlap.seen(tx, held, ask.askedBy, now, now);
    return { device, held, decision: decideReEnrol(device.state, held, { ...request, current: ask.askedBy }, now) };
  }

  /** The certificate handed out before, or the refusal. */
  private decided({ held, decision }: Locked, ask: Ask): CertificateRow {
    if (decision.kind === 'refuse') {
      if (decision.finding)
        this.logger.warn({ deviceId: ask.deviceId, askedBy: ask.askedBy, code: decision.code }, decision.detail);
      throw new DomainError(decision.code, { detail: decision.detail });
    }
    const again = held.find(({ thumbprint }) => decision.kind === 'again' && thumbprint === decision.thumbprint);
    if (!again) throw new Error('a decision for a certificate that is not held');
    return again;
  }

  private async keep(
    tx: EntityManager,
    ask: Ask,
    request: SigningRequestRow,
    signed: { certificate: ParsedCertificate; issuerKeyId: string },
  ): Promise<CertificateRow> {
    const now = new Date();
    const locked = await this.decide(tx, ask, now);
    const answer = await this.requests.answerOf(tx, request.requestId);
    const faster = locked.held.find(({ thumbprint }) => thumbprint === answer);
    if (faster && !isLapsed(faster, now) && (faster.status === 'pending' || faster.status === 'live')) return faster;
    if (locked.decision.kind !== 'sign') return this.decided(locked, ask);
    const row = newCertificate(ask, signed, now);
    await this.certificates.save(tx, row);
    await this.requests.answered(tx, request.requestId, row.thumbprint);
    for (const other of locked.held.filter((one) => isPending(one, now) && one.thumbprint !== ask.askedBy)) {
      await this.certificates.supersede(tx, other, row.thumbprint, now);
    }
    await this.devices.move(
      tx,
      locked.device,
      { kind: 'enrolled' },
      { who: `vehicle:${ask.askedBy}`, why: 'enrolled' },
      now,
    );
    const renewedFrom = ask.operation === 're-enrol' ? { renewedFrom: ask.askedBy } : {};
    const enrolled = { ref: certificateRef(row), ...renewedFrom, enrolledAt: now.toISOString() };
    await this.outbox.add(tx, certificateEnrolled, enrolled, ask.deviceId);
    return row;
  }
}

function newCertificate(
  ask: Ask,
  { certificate, issuerKeyId }: { certificate: ParsedCertificate; issuerKeyId: string },
  now: Date,
): CertificateRow {
  return Object.assign(new CertificateRow(), {
    thumbprint: certificate.thumbprint,
    deviceId: ask.deviceId,
    issuerKeyId,
    serialNumber: certificate.serialNumber,
    keyThumbprint: certificate.keyThumbprint,
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    der: Buffer.from(certificate.der),
    status: 'pending',
    askedBy: ask.askedBy,
    operation: ask.operation,
    createdAt: now,
    firstSeenAt: null,
    overlapEndsAt: null,
    supersededBy: null,
    supersededAt: null,
    revokedAt: null,
    revocationReason: null,
  } satisfies CertificateRow);
}
