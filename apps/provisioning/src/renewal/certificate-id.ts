/** The identifier of a certificate in a renewal-info path (draft-ietf-lamps-est-renewal-info, as RFC 9773 §4.1). */
import { DomainError } from '@outrider/errors';
import { SerialNumber } from '@outrider/ids';

/** A serial number has at most 20 octets and its sign (RFC 5280 §4.1.2.2), a key identifier of ours 20: generous for both. */
const FORM = /^([A-Za-z0-9_-]{1,86})\.([A-Za-z0-9_-]{1,30})$/;

export interface CertificateName {
  /** Hex of the authority key identifier. */
  readonly issuerKeyId: string;
  readonly serialNumber: SerialNumber;
}

/**
 * Reads `base64url(AKI keyIdentifier) "." base64url(serial number's DER content)`, both without padding.
 * The sign byte may be missing: clients forget it, and a serial number is never negative.
 * @throws DomainError `est.certificate_id_malformed`
 */
export function readCertificateId(text: string): CertificateName {
  const [, keyId, serial] = FORM.exec(text) ?? [];
  if (keyId === undefined || serial === undefined) throw malformed();
  const serialNumber = SerialNumber.safeParse(hexOf(serial));
  if (!serialNumber.success) throw malformed();
  return { issuerKeyId: hexOf(keyId), serialNumber: serialNumber.data };
}

function hexOf(base64url: string): string {
  const bytes = Buffer.from(base64url, 'base64url');
  if (bytes.toString('base64url') !== base64url) throw malformed();
  return bytes.toString('hex');
}

function malformed(): DomainError {
  return new DomainError('est.certificate_id_malformed', {
    detail: 'base64url(authority key identifier).base64url(serial number), without padding',
  });
}
