import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { sha256Hex } from '@outrider/crypto';
import { DomainError, type ErrorCode } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import type { Peer } from '@outrider/platform/http';
import { Metrics, Schedule, Sharers } from '@outrider/platform/service';
import type { ParsedCertificationRequest } from '@outrider/x509';
import type { CertificateRow } from '../certificate/certificate.entity.js';
import { EstDecisions } from '../est/est-decisions.service.js';
import { FleetTrust } from '../est/fleet-trust.store.js';
import type { Label } from '../label/label.js';
import type { Ask, Client } from './ask.js';
import { EstClients } from './clients.service.js';
import { Denied } from './denied.service.js';
import { type Decided, GroupDecision } from './group-decision.service.js';
import { GroupIssue, type ToIssue } from './group-issue.service.js';
import { GroupQueue } from './group-queue.js';
import { WorkingSets } from './working-set.repository.js';

/** As many as one request to fleet-ca may ask for (contract `ca.certificate.sign.v2`). */
const GROUP_SIZE = 64;
/** More than this wait nowhere: whoever comes then is told to come again. */
const CAPACITY = 1024;
/** Who waited longer has given up, or will; work for others is worth more. */
const MAX_WAIT_MS = 10_000;
/** Refusals of certificates that lead to no device. */
const STRANGER: readonly ErrorCode[] = ['est.manufacturer_unknown', 'est.device_unknown'];
/** While many ask: what a group costs beside its members is shared by more of them. Less than its commits take. */
const GATHER_MS = 20;
const FORGET_EVERY_MS = 60_000;
const KEPT_MS = 86_400_000;

/** Called once it is known who asks. Throws DomainError `est.csr_*`. */
export type ReadRequest = () => ParsedCertificationRequest;

export type Enrolled =
  /** `chain`: the issuing CA's certificate, DER. */
  | { readonly kind: 'issued'; readonly certificate: Uint8Array; readonly chain: readonly Uint8Array[] }
  | { readonly kind: 'pending'; readonly retryAfterSeconds: number };

/**
 * Hands certificates out, many in one transaction (docs/decisions: group commit for enrolment): who asks -> decision, kept -> fleet-ca
 * signs -> decision again, kept with the certificate -> denylist again.
 */
@Injectable()
export class Enrolment implements OnApplicationShutdown {
  private readonly decisionsQueue: GroupQueue<Ask, Decided>;
  private readonly issueQueue: GroupQueue<ToIssue, CertificateRow>;
  private readonly results;
  private readonly deciding = new Sharers<Ask>('enrolment.decide');
  private readonly issuing = new Sharers<ToIssue>('enrolment.issue');

  constructor(
    private readonly clients: EstClients,
    private readonly denied: Denied,
    private readonly decisions: EstDecisions,
    private readonly trust: FleetTrust,
    sets: WorkingSets,
    groupDecision: GroupDecision,
    groupIssue: GroupIssue,
    schedule: Schedule,
    metrics: Metrics,
  ) {
    const help = 'Requests for certificates that shared a group.';
    const sizes = metrics.histogram('outrider_enrolment_group_asks', help, [1, 2, 4, 8, 16, 32, 64]);
    this.results = metrics.counter(
      'outrider_enrolments_total',
      'Requests for fleet certificates, by how they ended: issued, pending, or the code of the refusal.',
      ['operation', 'label', 'result'],
    );
    metrics.gauge('outrider_enrolments_waiting', 'Requests for certificates that wait for their group.', [], (gauge) =>
      gauge.set(this.decisionsQueue.waitingCount + this.issueQueue.waitingCount),
    );
    this.decisionsQueue = new GroupQueue(
      (asks) => {
        sizes.observe(asks.length);
        return this.deciding.run(asks, () => groupDecision.decide(asks));
      },
      {
        groupSize: GROUP_SIZE,
        inFlight: 1,
        capacity: CAPACITY,
        gather: (afterCrowd) => (afterCrowd ? sleep(GATHER_MS) : turn()),
      },
    );
    // The next group is decided and signed while this one is kept.
    this.issueQueue = new GroupQueue((group) => this.issuing.run(group, () => groupIssue.issue(group)), {
      groupSize: GROUP_SIZE,
      inFlight: 2,
      capacity: CAPACITY,
      // Those decided together come one by one, in one turn of the event loop.
      gather: () => turn(),
    });
    schedule.every(FORGET_EVERY_MS, 'old signing requests wait', () => sets.forget(new Date(Date.now() - KEPT_MS)));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.decisionsQueue.idle();
    await this.issueQueue.idle();
  }

  /**
   * The fleet certificate for a factory certificate.
   * @throws DomainError `est.*`, `denylist.*`, `tls.certificate_expired`; `service.*` and `ca.*` when it could not be done now
   */
  enrol(peer: Peer, label: Label, read: ReadRequest, route = 'simpleenroll'): Promise<Enrolled> {
    return this.recorded(peer, route, label, read, (now) => ['enrol', this.clients.byFactoryCertificate(peer, now)]);
  }

  /**
   * The successor of a fleet certificate. strongSwan's pki renews whatever certificate it is given, so a factory certificate comes here
   * too: it is an enrolment, and decided as one.
   */
  reEnrol(peer: Peer, label: Label, read: ReadRequest, route = 'simplereenroll'): Promise<Enrolled> {
    return this.recorded(peer, route, label, read, (now) =>
      this.clients.isFactory(peer, now)
        ? ['enrol', this.clients.byFactoryCertificate(peer, now)]
        : ['re-enrol', this.clients.byFleetCertificate(peer, label, now)],
    );
  }

  private async recorded(
    peer: Peer,
    route: string,
    label: Label,
    read: ReadRequest,
    identify: (now: Date) => [Ask['operation'], Client],
  ): Promise<Enrolled> {
    let client: Client | undefined;
    let operation: Ask['operation'] = route === 'simpleenroll' ? 'enrol' : 're-enrol';
    try {
      const at = new Date();
      [operation, client] = identify(at);
      const { remoteAddress } = peer;
      const request = read();
      const enrolled = await this.handOut({
        operation,
        label,
        client,
        request,
        csrSha256: sha256Hex(request.der),
        remoteAddress,
        at,
      });
      this.results.inc({ operation, label: label.name, result: enrolled.kind });
      return enrolled;
    } catch (error) {
      const result = error instanceof DomainError ? error.code : 'service.internal';
      this.results.inc({ operation, label: label.name, result });
      this.decisions.refused(error, peer, route, await this.deviceOf(client, error));
      throw error;
    }
  }

  /** Whom a refusal is about. A factory certificate says so by the registry alone: asked for refusals only, and not of strangers. */
  private async deviceOf(client: Client | undefined, error: unknown): Promise<DeviceId | undefined> {
    if (client?.kind === 'fleet') return client.deviceId;
    if (!client || !(error instanceof DomainError) || error.status >= 500 || STRANGER.includes(error.code))
      return undefined;
    return this.clients.deviceOf(client, new Date()).catch(() => undefined);
  }

  private async handOut(ask: Ask): Promise<Enrolled> {
    const decided = await this.decisionsQueue.submit(this.deciding.note(ask));
    if (decided.kind === 'pending') return { kind: 'pending', retryAfterSeconds: decided.retryAfterSeconds };
    if (decided.kind === 'sign') checkWait(ask, new Date());
    const row =
      decided.kind === 'issued'
        ? decided.row
        : await this.issueQueue.submit(
            this.issuing.note({ ask, request: decided.request, newcomer: decided.newcomer }),
          );
    // Whoever was denied while this was on its way gets nothing.
    const { thumbprint, keyThumbprint, serialNumber, issuerKeyId } = row;
    this.denied.checkCertificate(
      { thumbprint, keyThumbprint, serialNumber, authorityKeyId: issuerKeyId },
      row.deviceId,
    );
    const chain = this.trust.vehicleCa.filter(({ subjectKeyId }) => subjectKeyId === issuerKeyId).slice(0, 1);
    return { kind: 'issued', certificate: new Uint8Array(row.der), chain: chain.map(({ der }) => der) };
  }
}

function checkWait({ at }: Ask, now: Date): void {
  if (now.getTime() - at.getTime() <= MAX_WAIT_MS) return;
  throw new DomainError('service.overloaded', { retryAfterSeconds: 1 });
}
