import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { type CertificateRef, stapleGet } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { Subscriptions } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { TrustFiles } from '@outrider/platform/service';
import { type ParsedCertificate, parseCertificate, validateChain } from '@outrider/x509';
import { Certificates } from '../certificate/certificates.repository.js';
import { OcspService } from './ocsp.service.js';

/** Answers for the certificates of services, whose CA tells nobody what it signs: one that it signed is known by showing itself here. */
@Injectable()
export class StapleConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly trust: TrustFiles,
    private readonly database: Database,
    private readonly certificates: Certificates,
    private readonly ocsp: OcspService,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.answer(stapleGet, async ({ certificate }) => {
      const answer = await this.staple(parseCertificate(certificate), new Date());
      if (!('times' in answer)) throw new DomainError('revocation.staple_unavailable', { retryAfterSeconds: 5 });
      return {
        staple: answer.der.toString('base64'),
        refreshAt: new Date(answer.refreshAtMs).toISOString(),
        nextUpdate: answer.times.nextUpdate.toISOString(),
      };
    });
  }

  /** @throws DomainError of libs/x509 for what no infrastructure CA of ours signed, or no longer. */
  private async staple(certificate: ParsedCertificate, now: Date) {
    const issuers = this.trust.infrastructureCa;
    validateChain(certificate, [], issuers, { now, purpose: 'serverAuth' });
    const issuer = issuers.find(({ subjectKeyId }) => subjectKeyId === certificate.authorityKeyId);
    if (!issuer) throw new DomainError('revocation.staple_unavailable');
    await this.database.transaction((tx) => this.certificates.record(tx, refOf(certificate, issuer)));
    return this.ocsp.answerAbout(issuer, certificate.serialNumber);
  }
}

function refOf(certificate: ParsedCertificate, issuer: ParsedCertificate): CertificateRef {
  return {
    issuerKeyId: issuer.subjectKeyId ?? '',
    serialNumber: certificate.serialNumber,
    thumbprint: certificate.thumbprint,
    keyThumbprint: certificate.keyThumbprint,
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
  };
}
