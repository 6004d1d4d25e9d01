import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { type DeviceId, parseVehicleSpiffeId } from '@outrider/ids';
import type { Peer } from '@outrider/platform/http';
import { CONFIG } from '@outrider/platform/service';
import { type ParsedCertificate, validateChain } from '@outrider/x509';
import { Certificates } from '../certificate/certificates.repository.js';
import type { Config } from '../config.js';
import { Devices } from '../device/devices.repository.js';
import { vouchingManufacturers } from '../manufacturer/manufacturer.js';
import { Manufacturers } from '../manufacturer/manufacturers.service.js';
import { isFleetCertificate, parsePresented } from './factory-identity.js';
import { FleetTrust } from './fleet-trust.store.js';

export interface EstClient {
  readonly deviceId: DeviceId;
  readonly certificate: ParsedCertificate;
}

/** Who asks, by the certificate of the connection: TLS proved the key, and nothing else is believed until it is checked here. */
@Injectable()
export class EstClients {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly trust: FleetTrust,
    private readonly manufacturers: Manufacturers,
    private readonly devices: Devices,
    private readonly certificates: Certificates,
  ) {}

  /** Whether there is a certificate that the fleet did not issue. */
  isFactory({ certificate, chain }: Peer, now: Date): boolean {
    return certificate !== undefined && !isFleetCertificate(certificate, parsePresented(chain), this.trust.all, now);
  }

  /** By factory certificate (IDevID): its manufacturer vouches, and the registry knows (manufacturer, serialNumber). */
  async byFactoryCertificate(peer: Peer, now: Date): Promise<EstClient> {
    const certificate = required(peer);
    const presented = parsePresented(peer.chain);
    if (isFleetCertificate(certificate, presented, this.trust.all, now)) {
      throw refused('a fleet certificate is no factory certificate; renew with it');
    }
    const vouching = vouchingManufacturers(certificate, presented, await this.manufacturers.all(), now);
    if (vouching.length === 0) throw new DomainError('est.manufacturer_unknown', { detail: certificate.issuer.text });
    const serialNumber = certificate.subjectSerialNumber;
    if (serialNumber === undefined) throw refused('the factory certificate holds no single serialNumber');
    const devices = await this.devices.findByFactoryIdentity(vouching, serialNumber);
    const [device, ...more] = devices;
    if (!device || more.length > 0) {
      throw new DomainError('est.device_unknown', { detail: `${vouching.join(', ')}: serialNumber ${serialNumber}` });
    }
    return { deviceId: device.deviceId, certificate };
  }

  /** By fleet certificate (LDevID): of the vehicle issuing CA, and handed out here. Whether it is still good the decision says. */
  async byFleetCertificate(peer: Peer, now: Date): Promise<EstClient> {
    const certificate = required(peer);
    try {
      validateChain(certificate, [], this.trust.vehicleCa, { now, purpose: 'clientAuth' });
    } catch (cause) {
      if (!(cause instanceof DomainError)) throw cause;
      if (cause.code !== 'x509.expired') throw refused('no fleet certificate', cause);
      throw new DomainError('tls.certificate_expired', { cause, detail: 'enrol with the factory certificate' });
    }
    const held = await this.certificates.find(certificate.thumbprint);
    const [uri = ''] = certificate.sanUris;
    if (!held || parseVehicleSpiffeId(uri, this.config.trustDomain) !== held.deviceId) {
      throw refused('the certificate was not handed out here');
    }
    return { deviceId: held.deviceId, certificate };
  }
}

function required(peer: Peer): ParsedCertificate {
  if (peer.certificate) return peer.certificate;
  throw new DomainError('est.certificate_required');
}

function refused(detail: string, cause?: unknown): DomainError {
  return new DomainError('est.certificate_refused', { detail, cause });
}
