import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CertificateSignRequest, certificateIssued } from '@outrider/contracts';
import { sha256Hex } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { SerialNumber, type Service } from '@outrider/ids';
import { Database, Outbox } from '@outrider/platform/postgres';
import { CONFIG, Metrics } from '@outrider/platform/service';
import { type CertificateProfile, type ParsedCertificationRequest, parseCertificationRequest } from '@outrider/x509';
import type { EntityManager } from 'typeorm';
import { Authorities } from '../authorities/authorities.service.js';
import { crlPrefix } from '../authorities/crl-prefix.js';
import type { OpenGeneration } from '../authorities/opened-authorities.store.js';
import type { Config } from '../config.js';
import { DeniedSubjects } from '../denylist/denied-subjects.service.js';
import { Profiles } from '../profiles/profiles.service.js';
import { verifyRequest } from '../requester/verify-request.js';
import { CertificateSigner } from './certificate-signer.service.js';
import { decideCertificate } from './decide-certificate.js';
import { certificateRef, type IssuedCertificate } from './issued-certificate.js';
import { IssuedCertificates } from './issued-certificates.repository.js';

@Injectable()
export class SignCertificate {
  private readonly issued;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly authorities: Authorities,
    private readonly profiles: Profiles,
    private readonly signer: CertificateSigner,
    private readonly certificates: IssuedCertificates,
    private readonly denied: DeniedSubjects,
    private readonly database: Database,
    private readonly outbox: Outbox,
    metrics: Metrics,
  ) {
    const help = 'Certificates signed, retries of the same request not counted.';
    this.issued = metrics.counter('outrider_ca_certificates_issued_total', help, ['profile']);
  }

  /** Verify, decide, sign, log and queue the event, all before the answer. The same request again gets the same certificate. */
  async sign(compactJws: string, now: Date): Promise<{ issued: IssuedCertificate; authority: OpenGeneration }> {
    const { trustDomain, requestMaxAgeSeconds: maxAgeSeconds } = this.config;
    const infrastructureCas = this.authorities.trusted('infrastructure-ca');
    const trust = { infrastructureCas, trustDomain, maxAgeSeconds, now };
    const { requester, certificate, payload } = verifyRequest(compactJws, CertificateSignRequest, trust);
    this.denied.checkRequester(certificate, now);
    const csr = parseCertificationRequest(payload.csr);
    const authority = this.authorities.signing(authorityOf(this.profiles.get(payload.profile)));
    const issued = await this.database.transaction(async (tx) => {
      const before = await this.certificates.lockRequest(tx, requester, payload.requestId);
      this.denied.check(payload.deviceId, csr.keyThumbprint, now);
      if (before) return sameRequest(before, payload);
      return this.issue(tx, requester, payload, csr, authority, now);
    });
    return { issued, authority };
  }

  private async issue(
    tx: EntityManager,
    requester: Service,
    request: CertificateSignRequest,
    csr: ParsedCertificationRequest,
    authority: OpenGeneration,
    now: Date,
  ): Promise<IssuedCertificate> {
    const serialNumber = SerialNumber.parse(randomBytes(16).toString('hex'));
    const profile = this.profiles.get(request.profile);
    const rules = { ...this.config, crlPrefix: crlPrefix(authority) };
    const description = decideCertificate(requester, request, profile, csr, authority, rules, serialNumber, now);
    const certificate = await this.signer.sign(description, authority);
    const issued: IssuedCertificate = {
      certificate,
      issuerKeyId: authority.certificate.subjectKeyId as string,
      profile: request.profile,
      deviceId: request.deviceId,
      requestedBy: requester,
      requestId: request.requestId,
      requestSha256: requestHash(request),
      issuedAt: now,
    };
    await this.certificates.add(tx, issued);
    await this.outbox.add(tx, certificateIssued, {
      profile: issued.profile,
      requestedBy: requester,
      ref: certificateRef(issued),
      issuedAt: now.toISOString(),
    });
    this.issued.inc({ profile: issued.profile });
    return issued;
  }
}

/** The authority that a request which names none is meant for: it is called as its profile. */
function authorityOf({ signedBy }: CertificateProfile): string {
  return signedBy[0] ?? '';
}

function sameRequest(before: IssuedCertificate, request: CertificateSignRequest): IssuedCertificate {
  if (before.requestSha256 === requestHash(request)) return before;
  throw new DomainError('ca.request_refused', { detail: 'this request id was used for another request' });
}

/** `iat` is left out: a retry is signed anew. */
function requestHash({ profile, csr, deviceId, lifetimeSeconds }: CertificateSignRequest): string {
  return sha256Hex(JSON.stringify([profile, csr, deviceId ?? null, lifetimeSeconds ?? null]));
}
