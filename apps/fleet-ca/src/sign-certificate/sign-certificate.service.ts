import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type CertificateSignItem, CertificatesSignRequest, certificateIssued } from '@outrider/contracts';
import { sha256Hex } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { SerialNumber, type Service } from '@outrider/ids';
import { Database, Outbox, outboxMessage } from '@outrider/platform/postgres';
import { CONFIG, LOGGER, type Logger, Metrics } from '@outrider/platform/service';
import { type ParsedCertificate, type ParsedCertificationRequest, parseCertificationRequest } from '@outrider/x509';
import { Authorities } from '../authorities/authorities.service.js';
import { crlPrefix } from '../authorities/crl-prefix.js';
import type { OpenGeneration } from '../authorities/opened-authorities.store.js';
import type { Config } from '../config.js';
import { DeniedSubjects } from '../denylist/denied-subjects.service.js';
import { Profiles } from '../profiles/profiles.service.js';
import { verifyRequest } from '../requester/verify-request.js';
import { CertificateSigner } from './certificate-signer.service.js';
import { decideCertificate, isOcspSigner } from './decide-certificate.js';
import { certificateRef, type IssuedCertificate } from './issued-certificate.js';
import { IssuedCertificates } from './issued-certificates.repository.js';

/** What came of one item; a refusal is its own. */
export type SignOutcome =
  | { readonly requestId: string; readonly issued: IssuedCertificate; readonly issuer: ParsedCertificate | undefined }
  | { readonly requestId: string; readonly error: DomainError };

@Injectable()
export class SignCertificate {
  private readonly issued;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
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

  /**
   * Verify, decide, sign, log and queue the events, all before the answer, the whole request in one transaction. The same request id
   * again gets the same certificate.
   * @throws DomainError for the request as a whole: who asks, and its form
   */
  async sign(compactJws: string, now: Date): Promise<SignOutcome[]> {
    const { trustDomain, requestMaxAgeSeconds: maxAgeSeconds } = this.config;
    const infrastructureCas = this.authorities.trusted('infrastructure-ca');
    const trust = { infrastructureCas, trustDomain, maxAgeSeconds, now };
    const { requester, certificate, payload } = verifyRequest(compactJws, CertificatesSignRequest, trust);
    await this.denied.checkRequester(certificate, now);
    const ids = payload.items.map(({ requestId }) => requestId);
    if (new Set(ids).size < ids.length)
      throw new DomainError('request.invalid', { detail: 'a request id stands twice' });
    const signed: IssuedCertificate[] = [];
    const outcomes = await this.database.transaction(async (tx) => {
      const before = await this.certificates.lockRequests(tx, requester, ids);
      const decided: SignOutcome[] = [];
      for (const item of payload.items) decided.push(await this.one(requester, item, before, signed, now));
      await this.certificates.addAll(tx, signed);
      await this.outbox.addAll(tx, signed.map(issuedMessage));
      return decided;
    });
    for (const { profile } of signed) this.issued.inc({ profile });
    return outcomes;
  }

  private async one(
    requester: Service,
    item: CertificateSignItem,
    before: ReadonlyMap<string, IssuedCertificate>,
    signed: IssuedCertificate[],
    now: Date,
  ): Promise<SignOutcome> {
    const { requestId } = item;
    try {
      const csr = parseCertificationRequest(item.csr);
      this.denied.check(item.deviceId, csr.keyThumbprint, now);
      const known = before.get(requestId);
      const issued = known ? sameRequest(known, item) : await this.issue(requester, item, csr, now);
      if (!known) signed.push(issued);
      const trusted = this.authorities.trusted(item.authority);
      return { requestId, issued, issuer: trusted.find(({ subjectKeyId }) => subjectKeyId === issued.issuerKeyId) };
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      const { deviceId } = item;
      this.logger.info({ requester, deviceId, code: error.code, detail: error.detail }, 'a certificate is refused');
      return { requestId, error };
    }
  }

  /** A generation that no longer (or not yet) certifies vehicles still has its OCSP answers signed, and nothing else. */
  private authorityFor({ authority: name, profile, issuerKeyId }: CertificateSignItem): OpenGeneration {
    if (issuerKeyId === undefined) return this.authorities.signing(name);
    const generation = this.authorities.byKeyId(issuerKeyId);
    if (generation.authority === name && isOcspSigner(this.profiles.get(profile))) return generation;
    throw new DomainError('ca.request_refused', { detail: 'only an OCSP signer names the generation that signs it' });
  }

  private async issue(
    requester: Service,
    request: CertificateSignItem,
    csr: ParsedCertificationRequest,
    now: Date,
  ): Promise<IssuedCertificate> {
    const authority = this.authorityFor(request);
    const serialNumber = SerialNumber.parse(randomBytes(16).toString('hex'));
    const profile = this.profiles.get(request.profile);
    const rules = { ...this.config, crlPrefix: crlPrefix(authority) };
    const description = decideCertificate(requester, request, profile, csr, authority, rules, serialNumber, now);
    const certificate = await this.signer.sign(description, authority);
    return {
      certificate,
      issuerKeyId: authority.certificate.subjectKeyId as string,
      profile: request.profile,
      deviceId: request.deviceId,
      requestedBy: requester,
      requestId: request.requestId,
      requestSha256: requestHash(request),
      issuedAt: now,
    };
  }
}

function issuedMessage(issued: IssuedCertificate) {
  const { profile, requestedBy, issuedAt } = issued;
  const payload = { profile, requestedBy, ref: certificateRef(issued), issuedAt: issuedAt.toISOString() };
  return outboxMessage(certificateIssued, payload);
}

function sameRequest(before: IssuedCertificate, request: CertificateSignItem): IssuedCertificate {
  if (before.requestSha256 === requestHash(request)) return before;
  throw new DomainError('ca.request_refused', { detail: 'this request id was used for another request' });
}

/** `iat` is left out: a retry is signed anew. */
function requestHash({ profile, authority, csr, deviceId, lifetimeSeconds, issuerKeyId }: CertificateSignItem): string {
  const generation = issuerKeyId === undefined ? [] : [issuerKeyId];
  return sha256Hex(JSON.stringify([profile, authority, csr, deviceId ?? null, lifetimeSeconds ?? null, ...generation]));
}
