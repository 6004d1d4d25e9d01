/** Decides which device a token request comes from: the one its certificate names, and `client_id` must say the same (RFC 8705 §2.1). */
import { DomainError } from '@outrider/errors';
import { type DeviceId, parseVehicleSpiffeId, type TrustDomain } from '@outrider/ids';
import type { ParsedCertificate } from '@outrider/x509';

/** The parts of a certificate, validated by the listener, that decide. */
export type ClientCertificate = Pick<ParsedCertificate, 'sanUris' | 'thumbprint' | 'notBefore' | 'notAfter'>;

/**
 * The device. Validity is looked at again, since a connection outlives its handshake.
 * @throws DomainError `token.invalid_client`, `tls.certificate_expired`
 */
export function authenticateVehicle(
  clientId: string,
  certificate: ClientCertificate,
  { trustDomain, nowMs }: { readonly trustDomain: TrustDomain; readonly nowMs: number },
): DeviceId {
  if (nowMs >= certificate.notAfter.getTime()) throw new DomainError('tls.certificate_expired');
  if (nowMs < certificate.notBefore.getTime()) throw new DomainError('tls.certificate_invalid');
  const [uri, another] = certificate.sanUris;
  const deviceId = uri !== undefined && another === undefined ? parseVehicleSpiffeId(uri, trustDomain) : undefined;
  if (deviceId === undefined || deviceId !== clientId) {
    throw new DomainError('token.invalid_client', { detail: "client_id is not the certificate's device" });
  }
  return deviceId;
}
