import { Inject, Injectable } from '@nestjs/common';
import { type CertificateSignRequest, certificateSign } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { deviceSpiffeId } from '@outrider/ids';
import { Nats, ServiceIdentity } from '@outrider/platform/nats';
import { CONFIG } from '@outrider/platform/service';
import { type ParsedCertificate, parseCertificate } from '@outrider/x509';
import type { Config } from '../config.js';
import type { SigningRequestRow } from './signing-request.entity.js';

const TIMEOUT_MS = 5000;

/** Asks fleet-ca to sign: by a request of our own identity's key, since it believes nothing else. */
@Injectable()
export class FleetCa {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly nats: Nats,
    private readonly identity: ServiceIdentity,
  ) {}

  /** Errors: `service.upstream_unavailable` (the certificate may have been signed), `service.upstream_invalid`, fleet-ca's own codes. */
  async sign(request: SigningRequestRow, now: Date): Promise<{ certificate: ParsedCertificate; issuerKeyId: string }> {
    const payload: CertificateSignRequest = {
      aud: 'ca.certificate.sign.v1',
      iat: Math.floor(now.getTime() / 1000),
      requestId: request.requestId,
      profile: 'vehicle',
      csr: request.csr.toString('base64'),
      deviceId: request.deviceId,
      lifetimeSeconds: request.lifetimeSeconds,
    };
    const signed = this.identity.signRequest(payload);
    const reply = await this.nats.request(certificateSign, { request: signed }, { timeoutMs: TIMEOUT_MS });
    const certificate = parseCertificate(reply.certificate);
    if (!this.isAsAsked(certificate, request)) {
      throw new DomainError('service.upstream_invalid', { detail: 'fleet-ca answered with another certificate' });
    }
    return { certificate, issuerKeyId: reply.ref.issuerKeyId };
  }

  private isAsAsked(certificate: ParsedCertificate, request: SigningRequestRow): boolean {
    const [uri, ...more] = certificate.sanUris;
    return (
      certificate.keyThumbprint === request.keyThumbprint &&
      certificate.subjectCommonName === request.deviceId &&
      uri === deviceSpiffeId(this.config.trustDomain, request.deviceId) &&
      more.length === 0
    );
  }
}
