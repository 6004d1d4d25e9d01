import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import type { Peer } from '@outrider/platform/http';
import { Database } from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import { Certificates } from '../certificate/certificates.repository.js';
import type { Config } from '../config.js';
import { Devices } from '../device/devices.repository.js';
import { EstClients } from '../enrolment/clients.service.js';
import { Denied } from '../enrolment/denied.service.js';
import { defaultLabel, findLabel } from '../label/label.js';
import { Overlap } from '../overlap/overlap.service.js';
import { Rotations } from '../rotation/rotations.repository.js';
import { readCertificateId } from './certificate-id.js';
import { RenewalInfos } from './renewal-info.repository.js';
import { type RenewalWindow, renewalWindow } from './renewal-window.js';

/** When a vehicle's certificate is to be renewed: for the vehicle itself, by any certificate that names it, lapsed ones too. */
@Injectable()
export class RenewalInfo {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly database: Database,
    private readonly infos: RenewalInfos,
    private readonly rotations: Rotations,
    private readonly clients: EstClients,
    private readonly denied: Denied,
    private readonly devices: Devices,
    private readonly certificates: Certificates,
    private readonly overlap: Overlap,
  ) {}

  /** Throws `est.certificate_*`, `est.label_unknown`, `denylist.*`, and what refuses a factory certificate. */
  async window(peer: Peer, labelName: string | undefined, id: string, now: Date): Promise<RenewalWindow> {
    if (!findLabel(this.config.labels, labelName))
      throw new DomainError('est.label_unknown', { detail: labelName ?? '' });
    const name = readCertificateId(id);
    if (!peer.certificate) throw new DomainError('est.certificate_required');
    const { holder, certificate, rotations } = await this.infos.find(name, peer.certificate.thumbprint);
    // That we handed this very certificate out, byte for byte, says more than its chain: only a stranger's needs validation.
    const deviceId = holder?.deviceId ?? (await this.clients.deviceByFactoryCertificate(peer, now));
    this.denied.checkCertificate(peer.certificate, deviceId);
    if (holder?.pending) await this.used(deviceId, peer.certificate.thumbprint, now);
    if (!certificate) throw new DomainError('est.certificate_unknown');
    if (certificate.deviceId !== deviceId) {
      throw new DomainError('est.certificate_refused', { detail: 'the certificate asked for is another device’s' });
    }
    if (rotations.length > 0) {
      const ids = rotations.map(({ rotationId }) => rotationId);
      await this.rotations.asked(deviceId, ids, now);
    }
    const { policy } = findLabel(this.config.labels, certificate.label) ?? defaultLabel(this.config.labels);
    return renewalWindow(certificate, policy.renewal, rotations);
  }

  /** To ask with it is to use it: TLS proved its key. */
  private used(deviceId: DeviceId, thumbprint: Thumbprint, now: Date): Promise<void> {
    return this.database.transaction(async (tx) => {
      await this.devices.mustLock(tx, deviceId);
      await this.overlap.seen(tx, await this.certificates.held(tx, deviceId, now), thumbprint, now, now);
    });
  }
}
