import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { DenylistFeed } from '@outrider/platform/admission';

interface RequesterNames {
  readonly thumbprint: Thumbprint;
  /** Null where it is not known. */
  readonly keyThumbprint: string | null;
}

/** The denylist's word on a device and a key before they are certified: no renewal in flight outruns a revocation. */
@Injectable()
export class DeniedSubjects {
  constructor(private readonly feed: DenylistFeed) {}

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

  /** A service whose certificate was taken out of service asks for nothing. Says nothing of freshness: revoking never fails closed. */
  checkRequester({ thumbprint, keyThumbprint }: RequesterNames, now: Date): void {
    const names = { thumbprint, ...(keyThumbprint === null ? {} : { keyThumbprint }) };
    if (!this.feed.match(names, now.getTime())) return;
    throw new DomainError('ca.requester_refused', {
      detail: 'the certificate of the requesting service is on the denylist',
    });
  }
}
