import { Injectable } from '@nestjs/common';
import { vehicleCertificateGet } from '@outrider/contracts';
import type { VerificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { signingKey } from '@outrider/evidence';
import { type DeviceId, Thumbprint } from '@outrider/ids';
import { Nats } from '@outrider/platform/nats';
import { TrustFiles } from '@outrider/platform/service';
import { type ParsedCertificate, parseCertificate } from '@outrider/x509';
import { LRUCache } from 'lru-cache';

const MAX_CERTIFICATES = 1_000;
/** `status` may change. */
const TTL_MS = 60_000;

/** A certificate of the past or the present, as provisioning keeps it. */
export interface KeptCertificate {
  readonly certificate: ParsedCertificate;
  /** `live`, `pending`, `superseded` or `revoked`, now. */
  readonly status: string;
}

/** The certificates that stored records name, whatever became of them. */
@Injectable()
export class Signers {
  private readonly kept = new LRUCache<string, KeptCertificate>({ max: MAX_CERTIFICATES, ttl: TTL_MS });

  constructor(
    private readonly nats: Nats,
    private readonly trust: TrustFiles,
  ) {}

  /**
   * @returns undefined for one that provisioning does not know, or gives wrongly
   * @throws DomainError `service.upstream_unavailable` when it does not answer
   */
  async find(named: string): Promise<KeptCertificate | undefined> {
    const thumbprint = Thumbprint.safeParse(named).data;
    if (thumbprint === undefined) return undefined;
    const known = this.kept.get(thumbprint);
    if (known) return known;
    try {
      const found = await this.nats.request(vehicleCertificateGet, { thumbprint });
      const certificate = parseCertificate(found.certificate);
      if (certificate.thumbprint !== thumbprint) return undefined;
      const kept = { certificate, status: found.status };
      this.kept.set(thumbprint, kept);
      return kept;
    } catch (error) {
      if (!(error instanceof DomainError) || error.code === 'service.upstream_unavailable') throw error;
      return undefined;
    }
  }

  /** The key that signed what was received at `at`; undefined where the certificate was not this device's, of the fleet, then. */
  keyOf({ certificate }: KeptCertificate, deviceId: DeviceId, at: Date): VerificationKey | undefined {
    return signingKey(certificate, deviceId, at, { intermediates: [], anchors: this.trust.vehicleCa });
  }
}
