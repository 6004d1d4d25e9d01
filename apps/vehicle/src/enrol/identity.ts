/** Reads a fleet certificate as the vehicle's own identity, and the answer to an enrolment, believing only what fits its key. */
import { DomainError } from '@outrider/errors';
import { DeviceId, type SerialNumber, type Thumbprint, TrustDomain } from '@outrider/ids';
import { type ParsedCertificate, parseCertificate, parseCertsOnlyCms, toPem } from '@outrider/x509';

/** What is on the disk. `receivedAt`: ms since the epoch. */
export interface StoredIdentity {
  readonly keyName: string;
  /** The key of the certificate before: kept for what was signed with it, destroyed at the next renewal. */
  readonly previousKeyName?: string | undefined;
  readonly certificate: string;
  readonly receivedAt: number;
}

export interface Identity extends StoredIdentity {
  readonly deviceId: DeviceId;
  readonly trustDomain: TrustDomain;
  readonly thumbprint: Thumbprint;
  readonly serialNumber: SerialNumber;
  /** Hex: the key of the CA that issued it. */
  readonly authorityKeyId: string | undefined;
  /** ms since the epoch. */
  readonly notAfter: number;
}

/** @throws DomainError `service.upstream_invalid` for a certificate that names no vehicle as fleet certificates do */
export function readIdentity(stored: StoredIdentity): Identity {
  const certificate = parseCertificate(stored.certificate);
  const { deviceId, trustDomain } = vehicleName(certificate);
  return {
    ...stored,
    deviceId,
    trustDomain,
    thumbprint: certificate.thumbprint,
    serialNumber: certificate.serialNumber,
    authorityKeyId: certificate.authorityKeyId,
    notAfter: certificate.notAfter.getTime(),
  };
}

/** The SAN's one URI, `spiffe://<trust domain>/vehicle/<device id>`; the registry chose the id, not this vehicle. */
function vehicleName(certificate: ParsedCertificate): { deviceId: DeviceId; trustDomain: TrustDomain } {
  const [uri, ...more] = certificate.sanUris;
  const found = /^spiffe:\/\/([^/]+)\/vehicle\/([^/]+)$/.exec(more.length === 0 ? (uri ?? '') : '');
  const trustDomain = TrustDomain.safeParse(found?.[1]);
  const deviceId = DeviceId.safeParse(found?.[2]);
  if (!trustDomain.success || !deviceId.success) throw invalid('the certificate names no vehicle');
  return { deviceId: deviceId.data, trustDomain: trustDomain.data };
}

/**
 * PEM of the certificate in an EST answer (RFC 7030 §4.2.3). `spkiDer`: the key that was asked for.
 * @throws DomainError `service.upstream_invalid` when the first certificate is for another key or already over
 */
export function readEnrolment(body: string, spkiDer: Uint8Array, now: number): string {
  const [der] = parseCertsOnlyCms(body);
  if (!der) throw invalid('the answer holds no certificate');
  const certificate = parseCertificate(der);
  if (Buffer.compare(certificate.spkiDer, spkiDer) !== 0) throw invalid('the certificate is for another key');
  if (certificate.notAfter.getTime() <= now) throw invalid('the certificate is over already');
  vehicleName(certificate);
  return toPem(der, 'CERTIFICATE');
}

/** The common name of the factory certificate where it has the form of a device id: a hint in the request, no more. */
export function factoryDeviceHint(factoryCertificate: string): DeviceId | undefined {
  return DeviceId.safeParse(parseCertificate(factoryCertificate).subjectCommonName).data;
}

function invalid(detail: string): DomainError {
  return new DomainError('service.upstream_invalid', { detail });
}
