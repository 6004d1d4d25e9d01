import { Injectable } from '@nestjs/common';
import { type DenylistSubject, denylistCode, serialValue } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { DenylistFeed } from '@outrider/platform/admission';
import type { ParsedCertificate } from '@outrider/x509';

/** The denylist's word on who asks for a certificate, on the key they bring, and on what they would be handed. */
@Injectable()
export class Denied {
  constructor(private readonly feed: DenylistFeed) {}

  /** Throws `denylist.*`. A device in recovery mode gets no certificate either: only a recovery order leads back. */
  check(subject: DenylistSubject): void {
    const entry = this.feed.match(subject);
    if (entry) throw new DomainError(denylistCode(entry.kind), { detail: entry.reason });
  }

  checkCertificate(
    certificate: Pick<ParsedCertificate, 'thumbprint' | 'keyThumbprint' | 'serialNumber' | 'authorityKeyId'>,
    deviceId: DeviceId,
  ): void {
    const { thumbprint, keyThumbprint, serialNumber, authorityKeyId } = certificate;
    const serial = authorityKeyId === undefined ? undefined : serialValue(authorityKeyId, serialNumber);
    this.check({ thumbprint, keyThumbprint, serial, deviceId });
  }
}
