import { Injectable } from '@nestjs/common';
import { serialValue } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { DenylistFeed } from '@outrider/platform/admission';
import type { ParsedCertificate } from '@outrider/x509';
import { type Ancestor, IssuedCertificates } from '../sign-certificate/issued-certificates.repository.js';

/** More than a fleet has certificates of services at a time. */
const MAX_LINES = 512;

/** The denylist's word on a device and a key before they are certified: no renewal in flight outruns a revocation. */
@Injectable()
export class DeniedSubjects {
  /** By the presented certificate, oldest first. Its line stands once it is signed; what the denylist says of it is asked each time. */
  private readonly lines = new Map<Thumbprint, readonly Ancestor[]>();

  constructor(
    private readonly feed: DenylistFeed,
    private readonly certificates: IssuedCertificates,
  ) {}

  /**
   * Quarantine (mode `recovery`) stops certification as well: the way back is a recovery order, which lifts it first.
   * @throws DomainError `ca.subject_denied`; `revocation.stale` when the list is too old to say.
   */
  check(deviceId: DeviceId | undefined, keyThumbprint: string, now: Date): void {
    const entry = this.feed.match({ ...(deviceId === undefined ? {} : { deviceId }), keyThumbprint }, now.getTime());
    if (entry)
      throw new DomainError('ca.subject_denied', { detail: `${entry.kind} is on the denylist (${entry.mode})` });
    if (this.feed.freshness() === 'stale') throw new DomainError('revocation.stale', { retryAfterSeconds: 1 });
  }

  /**
   * A service whose certificate was taken out of service asks for nothing, and neither does what was renewed from it: whoever stole a key
   * renews by it before it is revoked. Says nothing of freshness: revoking never fails closed.
   * @throws DomainError `ca.requester_refused`
   */
  async checkRequester(presented: ParsedCertificate, now: Date): Promise<void> {
    const { thumbprint, keyThumbprint, authorityKeyId: issuerKeyId = null, serialNumber } = presented;
    this.checkOne({ thumbprint, keyThumbprint, issuerKeyId, serialNumber }, now);
    for (const ancestor of await this.lineOf(thumbprint)) this.checkOne(ancestor, now);
  }

  private checkOne({ thumbprint, keyThumbprint, issuerKeyId, serialNumber }: Ancestor, now: Date): void {
    const names = {
      thumbprint,
      ...(keyThumbprint === null ? {} : { keyThumbprint }),
      ...(issuerKeyId === null || serialNumber === null ? {} : { serial: serialValue(issuerKeyId, serialNumber) }),
    };
    if (!this.feed.match(names, now.getTime())) return;
    throw new DomainError('ca.requester_refused', {
      detail: 'the certificate of the requesting service, or one that it was renewed from, is on the denylist',
    });
  }

  private async lineOf(thumbprint: Thumbprint): Promise<readonly Ancestor[]> {
    const known = this.lines.get(thumbprint);
    if (known) return known;
    const line = await this.certificates.lineOf(thumbprint);
    const [oldest] = this.lines.keys();
    if (this.lines.size >= MAX_LINES && oldest) this.lines.delete(oldest);
    this.lines.set(thumbprint, line);
    return line;
  }
}
