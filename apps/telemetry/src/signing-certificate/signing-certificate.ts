/** Decides whether a certificate named by `kid` may sign this device's telemetry. */
import { type DenylistSubject, serialValue } from '@outrider/admission';
import { type VerificationKey, verificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { type DeviceId, parseVehicleSpiffeId, type Thumbprint, type TrustDomain } from '@outrider/ids';
import { type ParsedCertificate, parseCertificate, validateChain } from '@outrider/x509';

/** A certificate made ready once and used for many messages. */
export interface SigningCertificate {
  readonly thumbprint: Thumbprint;
  readonly deviceId: DeviceId;
  readonly key: VerificationKey;
  readonly notAfterMs: number;
  /** Its names on the denylist, looked up at every use. */
  readonly subject: DenylistSubject;
}

export interface Anchors {
  readonly vehicleCas: readonly ParsedCertificate[];
  readonly trustDomain: TrustDomain;
  readonly now: Date;
}

/**
 * A certificate that provisioning gave for a `kid`. It is believed because it chains to the vehicle CA and is the one asked for, not
 * because of who gave it.
 * @throws DomainError `telemetry.bad_signature` for one that is no vehicle's, `x509.*` for one that does not validate
 */
export function toSigningCertificate(der: Uint8Array, kid: Thumbprint, anchors: Anchors): SigningCertificate {
  const certificate = parseCertificate(der);
  if (certificate.thumbprint !== kid) throw refused('the certificate is not the one named by kid');
  validateChain(certificate, [], anchors.vehicleCas, { now: anchors.now, purpose: 'clientAuth' });
  const deviceId = certificate.sanUris
    .map((uri) => parseVehicleSpiffeId(uri, anchors.trustDomain))
    .find((id) => id !== undefined);
  if (!deviceId) throw refused('the certificate names no vehicle');
  return describe(certificate, deviceId);
}

/** The connection's own certificate, which admission has validated. */
export function describe(certificate: ParsedCertificate, deviceId: DeviceId): SigningCertificate {
  const { thumbprint, keyThumbprint, serialNumber, authorityKeyId } = certificate;
  const serial = authorityKeyId === undefined ? {} : { serial: serialValue(authorityKeyId, serialNumber) };
  return {
    thumbprint,
    deviceId,
    key: verificationKey(certificate.spkiDer),
    notAfterMs: certificate.notAfter.getTime(),
    subject: { thumbprint, keyThumbprint, deviceId, ...serial },
  };
}

/** @throws DomainError `telemetry.wrong_device` for another's certificate, `telemetry.bad_signature` for one out of service or expired */
export function checkSigner(
  signer: SigningCertificate,
  deviceId: DeviceId,
  { denied, nowMs }: { denied: boolean; nowMs: number },
): void {
  if (signer.deviceId !== deviceId) {
    throw new DomainError('telemetry.wrong_device', { detail: "kid: another device's certificate" });
  }
  if (denied) throw refused('kid: the signing certificate is out of service');
  if (nowMs > signer.notAfterMs) throw refused('kid: the signing certificate has expired');
}

function refused(detail: string): DomainError {
  return new DomainError('telemetry.bad_signature', { detail });
}
