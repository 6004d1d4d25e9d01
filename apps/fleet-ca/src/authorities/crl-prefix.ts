/** How the CRLs of one issuing CA are named apart from another's. */

/**
 * The first vehicle issuing CA's lists are `/crl/<shard>.crl`; those of any other, and of its later generations, begin with sixteen hex
 * digits of the issuer's key identifier. Certificates name their list for life, so this never changes.
 */
export function crlPrefix(issuer: {
  readonly authority: string;
  readonly generation: number;
  readonly certificate: { readonly subjectKeyId: string | undefined };
}): string {
  const isFirst = issuer.authority === 'vehicle-ca' && issuer.generation === 1;
  return isFirst ? '' : `${issuer.certificate.subjectKeyId?.slice(0, 16)}-`;
}
