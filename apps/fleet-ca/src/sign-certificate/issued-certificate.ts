/** One line of the log of issued certificates, and what messages say of it. */
import type { CertificateProfileName, CertificateRef } from '@outrider/contracts';
import { DeviceId, type Service, type Thumbprint } from '@outrider/ids';
import { type ParsedCertificate, parseCertificate } from '@outrider/x509';

export interface IssuedCertificate {
  readonly certificate: ParsedCertificate;
  /** Hex of the issuing CA's subject key identifier. */
  readonly issuerKeyId: string;
  readonly profile: CertificateProfileName;
  readonly deviceId: DeviceId | undefined;
  readonly requestedBy: Service;
  readonly requestId: string;
  /** Of what was asked (profile, device, CSR, lifetime), hex: the same request id with another hash is another request. */
  readonly requestSha256: string;
  readonly issuedAt: Date;
  /** Of a service's certificate that was renewed: the one before. */
  readonly renewedFrom?: Thumbprint | undefined;
}

export function certificateRef(issued: IssuedCertificate): CertificateRef {
  const { certificate, deviceId, issuerKeyId } = issued;
  return {
    ...(deviceId === undefined ? {} : { deviceId }),
    issuerKeyId,
    serialNumber: certificate.serialNumber,
    thumbprint: certificate.thumbprint,
    keyThumbprint: certificate.keyThumbprint,
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
  };
}

/** A row of `issued_certificates` as PostgreSQL gives it; the certificate's own fields are read from the certificate. */
export interface IssuedRow {
  readonly certificate: Buffer;
  readonly issuer_key_id: string;
  readonly profile: CertificateProfileName;
  readonly device_id: string | null;
  readonly requested_by: Service;
  readonly request_id: string;
  readonly request_sha256: string;
  readonly issued_at: Date;
  readonly renewed_from: Thumbprint | null;
}

export function fromRow(row: IssuedRow): IssuedCertificate {
  return {
    certificate: parseCertificate(new Uint8Array(row.certificate)),
    issuerKeyId: row.issuer_key_id,
    profile: row.profile,
    deviceId: row.device_id === null ? undefined : DeviceId.parse(row.device_id),
    requestedBy: row.requested_by,
    requestId: row.request_id,
    requestSha256: row.request_sha256,
    issuedAt: row.issued_at,
    renewedFrom: row.renewed_from ?? undefined,
  };
}
