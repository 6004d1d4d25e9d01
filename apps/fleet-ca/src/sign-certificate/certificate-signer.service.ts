import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { LOGGER, type Logger, Metrics } from '@outrider/platform/service';
import { type CertificateDescription, issueCertificate, type ParsedCertificate } from '@outrider/x509';
import { Authorities } from '../authorities/authorities.service.js';
import type { OpenGeneration } from '../authorities/opened-authorities.store.js';
import { throwawayKeys } from '../keys/throwaway-keys.provider.js';

/** How many serial numbers of this process are remembered; the log's unique index knows all of them. */
const REMEMBERED_SERIALS = 10_000;

/** The one place where a CA key signs certificates: rehearsed by a throwaway key, linted whole, signed, verified. */
@Injectable()
export class CertificateSigner {
  private readonly throwaways = throwawayKeys();
  private readonly serials = new Set<string>();
  private readonly refused;

  constructor(
    private readonly authorities: Authorities,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.refused = metrics.counter(
      'outrider_ca_lint_refused_total',
      'Certificates that the lint kept from being signed.',
    );
  }

  /** @throws DomainError `ca.lint_failed`, `ca.key_unavailable`, `ca.signature_wrong`; then nothing was issued. */
  async sign(
    description: CertificateDescription,
    { certificate: issuer, key }: OpenGeneration,
  ): Promise<ParsedCertificate> {
    const rules = {
      issuer,
      isKeyBlocked: (keyThumbprint: string) => this.authorities.isAuthorityKey(keyThumbprint),
      isSerialTaken: (serialNumber: string) => this.serials.has(serialNumber),
    };
    const linting = { rules, throwaway: this.throwaways[key.algorithm] };
    try {
      const certificate = await issueCertificate(description, issuer, (tbs) => key.sign(tbs), linting);
      this.remember(certificate.serialNumber);
      return certificate;
    } catch (error) {
      if (error instanceof DomainError && (error.code === 'ca.lint_failed' || error.code === 'ca.signature_wrong')) {
        this.refused.inc();
        this.logger.error({ err: error, subject: description.subject }, 'a certificate was kept from being issued');
      }
      throw error;
    }
  }

  private remember(serialNumber: string): void {
    this.serials.add(serialNumber);
    if (this.serials.size <= REMEMBERED_SERIALS) return;
    for (const oldest of this.serials) {
      this.serials.delete(oldest);
      return;
    }
  }
}
