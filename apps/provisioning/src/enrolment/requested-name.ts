/** What a certificate request may ask for. Its names decide nothing; asking for somebody else or for authority is refused all the same. */
import { DomainError } from '@outrider/errors';
import { type DeviceId, deviceSpiffeId, type TrustDomain } from '@outrider/ids';
import { OID, type ParsedCertificationRequest } from '@outrider/x509';

type Requested = Pick<ParsedCertificationRequest, 'subject' | 'sanUris' | 'requestedExtensions'>;

/**
 * The device is known from the TLS certificate and the registry. The common name may be left out, and so may every extension; other
 * attributes, DNS names, addresses and usages are dropped, as the profile gives none.
 * @throws DomainError `est.csr_name_mismatch`, `est.csr_authority_refused`
 */
export function checkRequested(request: Requested, deviceId: DeviceId, trustDomain: TrustDomain): void {
  const names = request.subject.attributes.filter(({ type }) => type === OID.commonName);
  if (names.length > 1 || names.some(({ value }) => value !== deviceId)) {
    throw new DomainError('est.csr_name_mismatch', { detail: `this is ${deviceId}` });
  }
  const own = deviceSpiffeId(trustDomain, deviceId);
  if (request.sanUris.some((uri) => uri !== own)) {
    throw new DomainError('est.csr_name_mismatch', { detail: `the only URI name is ${own}` });
  }
  const { basicConstraints, keyUsage } = request.requestedExtensions;
  if (basicConstraints?.ca || keyUsage?.some((usage) => usage === 'keyCertSign' || usage === 'cRLSign')) {
    throw new DomainError('est.csr_authority_refused');
  }
}
