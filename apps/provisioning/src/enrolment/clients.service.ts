import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { type DeviceId, parseVehicleSpiffeId } from '@outrider/ids';
import type { Peer } from '@outrider/platform/http';
import { CONFIG } from '@outrider/platform/service';
import { type ParsedCertificate, validateChain } from '@outrider/x509';
import type { Config } from '../config.js';
import { Devices } from '../device/devices.repository.js';
import { FleetTrust } from '../est/fleet-trust.store.js';
import type { Label } from '../label/label.js';
import type { Manufacturer } from '../manufacturer/manufacturer.js';
import { vouchingManufacturers } from '../manufacturer/manufacturer.js';
import { Manufacturers } from '../manufacturer/manufacturers.service.js';
import type { FactoryClient, FleetClient } from './ask.js';
import { isInGrace } from './decision.js';
import { isFleetCertificate, parsePresented } from './factory-identity.js';
import type { FactoryIdentity } from './working-set.repository.js';

/** Who asks, by the certificate of the connection: TLS proved the key, and nothing else is believed until it is checked here. */
@Injectable()
export class EstClients {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly trust: FleetTrust,
    private readonly manufacturers: Manufacturers,
    private readonly devices: Devices,
  ) {}

  /** Whether there is a certificate that the fleet did not issue. */
  isFactory({ certificate, chain }: Peer, now: Date): boolean {
    return certificate !== undefined && !isFleetCertificate(certificate, parsePresented(chain), this.trust.all, now);
  }

  /** A factory certificate (IDevID) as far as it speaks for itself; its manufacturer and device `identitiesOf` and the registry say. */
  byFactoryCertificate(peer: Peer, now: Date): FactoryClient {
    const certificate = required(peer);
    const presented = parsePresented(peer.chain);
    if (isFleetCertificate(certificate, presented, this.trust.all, now)) {
      throw refused('a fleet certificate is no factory certificate; renew with it');
    }
    return { kind: 'factory', certificate, presented, serialNumber: certificate.subjectSerialNumber ?? '' };
  }

  /** The registered device of a factory certificate, for those that ask for something else than a certificate. */
  deviceByFactoryCertificate(peer: Peer, now: Date): Promise<DeviceId> {
    return this.deviceOf(this.byFactoryCertificate(peer, now), now);
  }

  /** @throws DomainError `est.manufacturer_unknown`, `est.device_unknown`, `est.certificate_refused` */
  async deviceOf(client: FactoryClient, now: Date): Promise<DeviceId> {
    const identities = this.identitiesOf(client, await this.manufacturers.all(), now);
    const names = identities.map(({ manufacturer }) => manufacturer);
    const [device, ...more] = await this.devices.findByFactoryIdentity(names, client.serialNumber);
    if (device && more.length === 0) return device.deviceId;
    throw new DomainError('est.device_unknown', { detail: `${names.join(', ')}: ${client.serialNumber}` });
  }

  /**
   * By fleet certificate (LDevID): of the vehicle issuing CA, in time or within the label's grace after it. Whether it was handed out
   * here and is still good the decision says.
   */
  byFleetCertificate(peer: Peer, { policy }: Label, now: Date): FleetClient {
    const certificate = required(peer);
    // Its chain is asked for the time when it was good: TLS lets lapsed ones through.
    const at = now > certificate.notAfter && isInGrace(certificate, policy, now) ? certificate.notAfter : now;
    try {
      validateChain(certificate, [], this.trust.vehicleCa, { now: at, purpose: 'clientAuth' });
    } catch (cause) {
      if (!(cause instanceof DomainError)) throw cause;
      if (cause.code !== 'x509.expired') throw refused('no fleet certificate', cause);
      throw new DomainError('tls.certificate_expired', { cause, detail: 'enrol with the factory certificate' });
    }
    const [uri = ''] = certificate.sanUris;
    const deviceId = parseVehicleSpiffeId(uri, this.config.trustDomain);
    if (deviceId === undefined) throw refused('the certificate names no device of this fleet');
    return { kind: 'fleet', certificate, deviceId };
  }

  /** Under which keys of the registry the device of a factory certificate may stand: its manufacturer vouches. */
  identitiesOf(
    { certificate, presented, serialNumber }: FactoryClient,
    manufacturers: readonly Manufacturer[],
    now: Date,
  ): FactoryIdentity[] {
    const vouching = vouchingManufacturers(certificate, presented, manufacturers, now);
    if (serialNumber === '') throw refused('the factory certificate holds no single serialNumber');
    return vouching.map((manufacturer) => ({ manufacturer, serialNumber }));
  }
}

function required(peer: Peer): ParsedCertificate {
  if (peer.certificate) return peer.certificate;
  throw new DomainError('est.certificate_required');
}

function refused(detail: string, cause?: unknown): DomainError {
  return new DomainError('est.certificate_refused', { detail, cause });
}
