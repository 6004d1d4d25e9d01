/** Decides whether a certificate named by `kid` may sign this device's telemetry. */
import { type DenylistSubject, serialValue } from '@outrider/admission';
import { type VerificationKey, verificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { type DeviceId, parseVehicleSpiffeId, type Thumbprint, type TrustDomain } from '@outrider/ids';
import { type ParsedCertificate, parseCertificate, validateChain } from '@outrider/x509';
import type { CertificateValidity } from './may-have-signed.js';

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

/** A certificate looked back at: `mayHaveSigned` says for which times it counts. */
export interface PastCertificate {
  readonly thumbprint: Thumbprint;
  readonly key: VerificationKey;
  readonly validity: CertificateValidity;
}

/**
 * As `toSigningCertificate`, of a certificate whose time may be over: its chain is validated as it stood at the end of its validity.
 * @throws DomainError `telemetry.wrong_device` for another device's, and as `toSigningCertificate` does
 */
export function toPastCertificate(
  der: Uint8Array,
  kid: Thumbprint,
  deviceId: DeviceId,
  anchors: Omit<Anchors, 'now'>,
): PastCertificate {
  const { notBefore, notAfter } = parseCertificate(der);
  const signer = toSigningCertificate(der, kid, { ...anchors, now: notAfter });
  if (signer.deviceId !== deviceId) throw wrongDevice();
  const validity = { notBeforeMs: notBefore.getTime(), notAfterMs: notAfter.getTime() };
  return { thumbprint: signer.thumbprint, key: signer.key, validity };
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
  if (signer.deviceId !== deviceId) throw wrongDevice();
  if (denied) throw refused('kid: the signing certificate is out of service');
  if (nowMs > signer.notAfterMs) throw refused('kid: the signing certificate has expired');
}

function wrongDevice(): DomainError {
  return new DomainError('telemetry.wrong_device', { detail: "kid: another device's certificate" });
}

function refused(detail: string): DomainError {
  return new DomainError('telemetry.bad_signature', { detail });
}
