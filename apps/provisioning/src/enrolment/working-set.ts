/**
 * The devices of a group of requests as one transaction sees them, their rows locked: each decision finds what the decision before it
 * left, and what changed is written at the end, all at once.
 */
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { type HeldCertificate, isLapsed, isPending } from '../certificate/certificate.js';
import { firstUse } from '../overlap/overlap.js';
import type { Ask } from './ask.js';
import type { KeyUse } from './decision.js';

/** A row of `certificates`, changed in place. */
export type WorkingCertificate = { -readonly [K in keyof HeldCertificate]: HeldCertificate[K] } & {
  readonly der: Buffer;
  firstSeenAt: Date | null;
  supersededAt: Date | null;
};

/** A row of `signing_requests`: what is asked of fleet-ca, kept before it is asked. */
export interface SigningRequest {
  readonly requestId: string;
  readonly deviceId: DeviceId;
  readonly operation: Ask['operation'];
  readonly askedBy: Thumbprint;
  readonly keyThumbprint: string;
  readonly label: string;
  readonly profile: string;
  readonly authority: string;
  readonly csr: Buffer;
  readonly csrSha256: string;
  readonly lifetimeSeconds: number;
  readonly createdAt: Date;
  /** The certificate that came of it; null: not answered yet. */
  thumbprint: Thumbprint | null;
}

export interface Loaded<C extends WorkingCertificate> {
  readonly held: readonly C[];
  /** By `<key thumbprint> <device id>`. */
  readonly keys: ReadonlyMap<string, KeyUse>;
  readonly requests: readonly SigningRequest[];
}

const UNUSED: KeyUse = { holders: [], revoked: false };

export class WorkingSet<C extends WorkingCertificate = WorkingCertificate> {
  /** To be written: new rows, and rows that changed. */
  readonly newCertificates: C[] = [];
  readonly changedCertificates = new Set<C>();
  readonly superseded: C[] = [];
  readonly newRequests: SigningRequest[] = [];
  readonly answeredRequests: SigningRequest[] = [];
  private readonly held = new Map<DeviceId, C[]>();
  private readonly requests: SigningRequest[];
  /** Keys certified by this very transaction: key thumbprint -> device. */
  private readonly certified = new Map<string, DeviceId>();

  constructor(private readonly loaded: Loaded<C>) {
    this.requests = [...loaded.requests];
    for (const certificate of loaded.held) this.add(certificate);
  }

  /** Newest first. */
  heldBy(deviceId: DeviceId): readonly C[] {
    return this.held.get(deviceId) ?? [];
  }

  keyUse(keyThumbprint: string, deviceId: DeviceId): KeyUse {
    const stored = this.loaded.keys.get(`${keyThumbprint} ${deviceId}`) ?? UNUSED;
    const holder = this.certified.get(keyThumbprint);
    if (holder === undefined || holder === deviceId) return stored;
    return { ...stored, holders: [...stored.holders, holder] };
  }

  /** Notes an authenticated use of a certificate now (the overlap begins with the first). */
  use(deviceId: DeviceId, thumbprint: Thumbprint, overlapSecondsOf: (label: string) => number, now: Date): void {
    const held = this.heldBy(deviceId);
    const used = held.find((one) => one.thumbprint === thumbprint);
    if (!used) return;
    const first = firstUse(held, thumbprint, now, overlapSecondsOf(used.label), now);
    if (!first) return;
    used.status = 'live';
    used.firstSeenAt = now;
    this.changedCertificates.add(used);
    for (const row of held) {
      if (row.thumbprint === first.overlap?.thumbprint) {
        row.overlapEndsAt = first.overlap.endsAt;
        row.supersededBy = thumbprint;
        this.changedCertificates.add(row);
      } else if (first.giveWay.includes(row.thumbprint)) this.supersede(row, thumbprint, now);
    }
  }

  /** The open request for the same key by the same certificate at the same label, or the new one. */
  openRequest(request: SigningRequest): SigningRequest {
    const open = this.requests.find(
      (one) =>
        one.thumbprint === null &&
        one.deviceId === request.deviceId &&
        one.operation === request.operation &&
        one.askedBy === request.askedBy &&
        one.keyThumbprint === request.keyThumbprint &&
        one.label === request.label,
    );
    if (open) return open;
    this.requests.push(request);
    this.newRequests.push(request);
    return request;
  }

  /** What came of a request already: another call of the same was faster. Undefined: nothing that is good still. */
  answerTo(requestId: string, deviceId: DeviceId, now: Date): C | undefined {
    const answer = this.requests.find((one) => one.requestId === requestId)?.thumbprint;
    const held = this.heldBy(deviceId).find(({ thumbprint }) => thumbprint === answer);
    return held && !isLapsed(held, now) && (held.status === 'pending' || held.status === 'live') ? held : undefined;
  }

  /** A certificate comes out of fleet-ca: kept, in place of what was handed out before and never used. */
  keep(certificate: C, requestId: string, now: Date): void {
    const { deviceId, askedBy, thumbprint } = certificate;
    for (const other of this.heldBy(deviceId)) {
      if (isPending(other, now) && other.thumbprint !== askedBy) this.supersede(other, thumbprint, now);
    }
    this.add(certificate);
    this.newCertificates.push(certificate);
    this.certified.set(certificate.keyThumbprint, deviceId);
    const request = this.requests.find((one) => one.requestId === requestId);
    if (request) {
      request.thumbprint = thumbprint;
      this.answeredRequests.push(request);
    }
  }

  private supersede(row: C, by: Thumbprint, now: Date): void {
    row.status = 'superseded';
    row.supersededBy = by;
    row.supersededAt = now;
    if (!this.newCertificates.includes(row)) this.changedCertificates.add(row);
    this.superseded.push(row);
  }

  private add(certificate: C): void {
    const held = this.held.get(certificate.deviceId);
    if (held) held.unshift(certificate);
    else this.held.set(certificate.deviceId, [certificate]);
  }
}
