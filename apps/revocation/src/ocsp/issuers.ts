/** Which issuing CA a CertID speaks of. */
import { OCSP_HASHES, type OcspCertId, ocspIssuerHashes, type ParsedCertificate } from '@outrider/x509';

/** The same CA under each hash that a client may use. */
export class IssuerIndex {
  private readonly byHashes = new Map<string, ParsedCertificate>();

  constructor(issuers: readonly ParsedCertificate[]) {
    for (const issuer of issuers) {
      for (const hash of OCSP_HASHES) {
        const { issuerNameHash, issuerKeyHash } = ocspIssuerHashes(issuer, hash);
        this.byHashes.set(`${hash} ${issuerNameHash} ${issuerKeyHash}`, issuer);
      }
    }
  }

  /** Undefined for an issuer that is not ours. */
  find({ hashAlgorithm, issuerNameHash, issuerKeyHash }: OcspCertId): ParsedCertificate | undefined {
    return this.byHashes.get(`${hashAlgorithm} ${issuerNameHash} ${issuerKeyHash}`);
  }
}
