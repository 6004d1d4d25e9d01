import { Inject, Injectable } from '@nestjs/common';
import type { ParsedCertificate } from '@outrider/x509';
import { Metrics } from './metrics.service.js';
import { RUNTIME, type Runtime } from './runtime.provider.js';
import { TrustFiles } from './trust-files.service.js';

/** How long the certificates are still good for that this service shows or trusts. */
@Injectable()
export class CertificateMetrics {
  private readonly read = new Map<string, () => ParsedCertificate | undefined>();

  constructor(
    @Inject(RUNTIME) { config }: Runtime,
    private readonly files: TrustFiles,
    metrics: Metrics,
  ) {
    const { listeners, identity } = config;
    for (const listener of ['vehicle', 'operator'] as const) {
      const pair = listeners[listener];
      if (pair) this.ofPair(`${listener}_listener`, pair);
    }
    this.ofPair('identity', identity);
    this.watch('fleet_root', () => files.fleetRoot[0]);
    this.watch('vehicle_ca', () => files.vehicleCa[0]);
    this.watch('infrastructure_ca', () => files.infrastructureCa[0]);
    this.watch('control_ca', () => files.controlCa[0]);
    metrics.gauge(
      'outrider_certificate_expiry_seconds',
      'How long a certificate is still good for; negative where it is over. Of anchors the active one.',
      ['certificate'],
      (gauge) => {
        for (const [certificate, current] of this.read) {
          const { notAfter } = current() ?? {};
          if (notAfter) gauge.set({ certificate }, Math.round((notAfter.getTime() - Date.now()) / 1000));
          else gauge.remove({ certificate });
        }
      },
    );
    metrics.gauge(
      'outrider_certificate_lifetime_seconds',
      'How long it is good for from its beginning: what is left of it tells whether a renewal is late.',
      ['certificate'],
      (gauge) => {
        for (const [certificate, current] of this.read) {
          const { notBefore, notAfter } = current() ?? {};
          if (notBefore && notAfter) gauge.set({ certificate }, (notAfter.getTime() - notBefore.getTime()) / 1000);
          else gauge.remove({ certificate });
        }
      },
    );
  }

  /** `certificate`: its name in the metrics, of a closed list; `current`: asked at each scrape, undefined while there is none. */
  watch(certificate: string, current: () => ParsedCertificate | undefined): void {
    this.read.set(certificate, current);
  }

  private ofPair(name: string, { certificateFile, keyFile }: { certificateFile: string; keyFile: string }): void {
    this.watch(name, () => this.files.keyPair(certificateFile, keyFile).chain[0]);
  }
}
