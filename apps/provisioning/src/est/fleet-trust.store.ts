import { dirname, join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, TrustFiles } from '@outrider/platform/service';
import type { ParsedCertificate } from '@outrider/x509';
import type { Config } from '../config.js';

/** The fleet's own CA certificates, as they are now: every generation that is trusted, the active one first. */
@Injectable()
export class FleetTrust {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly files: TrustFiles,
  ) {}

  get root(): readonly ParsedCertificate[] {
    return this.files.fleetRoot;
  }

  get vehicleCa(): readonly ParsedCertificate[] {
    return this.files.vehicleCa;
  }

  get all(): readonly ParsedCertificate[] {
    return [...this.root, ...this.vehicleCa, ...this.files.infrastructureCa, ...this.files.controlCa];
  }

  /**
   * What `/cacerts` hands out (RFC 7030 §4.1.3): the issuing authority, the roots, and the cross certificates by which who trusts one
   * root alone comes to the other (OldWithNew, NewWithOld).
   * @param authority the label's issuing authority; its trust file lies beside that of all vehicle CAs.
   */
  cacerts(authority = 'vehicle-ca'): ParsedCertificate[] {
    const folder = dirname(this.config.trust.vehicleCaFile);
    const issuing = this.files.certificates(join(folder, `${authority}.crt`));
    return [...issuing, ...this.root, ...this.files.rootCrossCertificates];
  }
}
