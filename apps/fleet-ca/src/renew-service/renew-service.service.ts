import { randomBytes, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { certificateIssued, renewalSubject, ServiceCertificateRequest } from '@outrider/contracts';
import { sha256Hex } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { SerialNumber, type Service } from '@outrider/ids';
import { Database, Outbox, outboxMessage } from '@outrider/platform/postgres';
import { CONFIG, LOGGER, type Logger, Metrics } from '@outrider/platform/service';
import { type ParsedCertificate, parseCertificationRequest } from '@outrider/x509';
import { Authorities } from '../authorities/authorities.service.js';
import type { Config } from '../config.js';
import { DeniedSubjects } from '../denylist/denied-subjects.service.js';
import { verifyRequest } from '../requester/verify-request.js';
import { CertificateSigner } from '../sign-certificate/certificate-signer.service.js';
import { certificateRef, type IssuedCertificate } from '../sign-certificate/issued-certificate.js';
import { IssuedCertificates } from '../sign-certificate/issued-certificates.repository.js';
import { decideRenewal } from './decide-renewal.js';

export interface RenewedCertificate {
  readonly certificate: ParsedCertificate;
  readonly issuer: ParsedCertificate;
}

/** Gives a service that proves its present certificate the next one, for itself alone; logged, and told of, before it is answered. */
@Injectable()
export class RenewService {
  private readonly renewed;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly authorities: Authorities,
    private readonly signer: CertificateSigner,
    private readonly certificates: IssuedCertificates,
    private readonly denied: DeniedSubjects,
    private readonly database: Database,
    private readonly outbox: Outbox,
    metrics: Metrics,
  ) {
    const help = 'Certificates of services that were renewed, retries of the same request not counted.';
    this.renewed = metrics.counter('outrider_ca_service_certificates_renewed_total', help, ['requester']);
  }

  /**
   * @param service whose subject the request came by: NATS lets no other service publish there, and the certificate has to name the same.
   * @throws DomainError `ca.requester_refused`, `ca.request_refused`, `ca.subject_denied`, `revocation.stale`, and for its form
   */
  async renew(service: Service, compactJws: string, now: Date): Promise<RenewedCertificate> {
    const issuer = this.authorities.infrastructure();
    const { trustDomain, requestMaxAgeSeconds: maxAgeSeconds } = this.config;
    const infrastructureCas = this.authorities.trusted('infrastructure-ca');
    const trust = { infrastructureCas, trustDomain, maxAgeSeconds, now };
    const { requester, certificate: presented, payload } = verifyRequest(compactJws, ServiceCertificateRequest, trust);
    if (requester !== service || payload.aud !== renewalSubject(service)) {
      throw new DomainError('ca.requester_refused', { detail: `${requester} asked as ${service}` });
    }
    const csr = parseCertificationRequest(payload.csr);
    await this.denied.checkRequester(presented, now);
    this.denied.check(undefined, csr.keyThumbprint, now);
    const requestSha256 = sha256Hex(JSON.stringify([presented.thumbprint, payload.csr]));
    // Neither the limit of one certificate nor one key is gone past by requests at the same time.
    const locks = [`renewed from ${presented.thumbprint}`, `renewed for ${csr.keyThumbprint}`];
    const { issued, isNew } = await this.database.transaction(async (tx) => {
      const before = await this.certificates.lockRequests(tx, service, [payload.requestId], locks);
      const known = before.get(payload.requestId);
      if (known) return { issued: sameRequest(known, requestSha256), isNew: false };
      const history = await this.certificates.historyOf(tx, presented.thumbprint, csr.keyThumbprint);
      const rules = { trustDomain, lifetimeSeconds: this.lifetimeSeconds(), issuer: issuer.certificate };
      const serialNumber = SerialNumber.parse(randomBytes(16).toString('hex'));
      const description = decideRenewal(service, presented, csr, history, rules, serialNumber, now);
      const signed: IssuedCertificate = {
        certificate: await this.signer.sign(description, issuer),
        issuerKeyId: issuer.certificate.subjectKeyId as string,
        profile: 'service-server',
        deviceId: undefined,
        requestedBy: service,
        requestId: payload.requestId,
        requestSha256,
        issuedAt: now,
        renewedFrom: presented.thumbprint,
      };
      const first = firstOf(presented, signed);
      const isFirst = await this.certificates.addFirst(tx, first);
      await this.certificates.addAll(tx, [signed]);
      await this.outbox.addAll(tx, (isFirst ? [first, signed] : [signed]).map(issuedMessage));
      return { issued: signed, isNew: true };
    });
    if (isNew) {
      const { serialNumber, notAfter } = issued.certificate;
      this.renewed.inc({ requester: service });
      this.logger.info(
        { service, serialNumber, notAfter, from: presented.serialNumber },
        'a service is certified anew',
      );
    }
    return { certificate: issued.certificate, issuer: issuer.certificate };
  }

  private lifetimeSeconds(): number {
    const { serviceRenewal } = this.config;
    if (!serviceRenewal) throw new DomainError('ca.request_refused', { detail: 'no service is certified anew here' });
    return serviceRenewal.lifetimeSeconds;
  }
}

function sameRequest(before: IssuedCertificate, requestSha256: string): IssuedCertificate {
  if (before.requestSha256 === requestSha256) return before;
  throw new DomainError('ca.request_refused', { detail: 'this request id was used for another request' });
}

/** What the ceremony made is known to nobody: in the log, and told of, it can be revoked by any of its names, and with it what came of it. */
function firstOf(
  presented: ParsedCertificate,
  { requestedBy, profile, issuerKeyId }: IssuedCertificate,
): IssuedCertificate {
  return {
    certificate: presented,
    issuerKeyId: presented.authorityKeyId ?? issuerKeyId,
    ...{ profile, deviceId: undefined, requestedBy, requestId: randomUUID() },
    requestSha256: sha256Hex(presented.der),
    issuedAt: presented.notBefore,
  };
}

function issuedMessage(issued: IssuedCertificate) {
  const { profile, requestedBy, issuedAt, renewedFrom } = issued;
  const ref = certificateRef(issued);
  return outboxMessage(certificateIssued, {
    ...{ profile, requestedBy, ref, issuedAt: issuedAt.toISOString() },
    ...(renewedFrom ? { renewedFrom } : {}),
  });
}
