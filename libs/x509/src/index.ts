export {
  type CertificationRequestDescription,
  createCertificationRequest,
  type ParsedCertificationRequest,
  parseCertificationRequest,
  parseUnprovenRequest,
  type UnprovenCertificationRequest,
} from './certification-request.js';
export { certsOnlyCms, parseCertsOnlyCms } from './certs-only-cms.js';
export { type CrlDescription, createCrl } from './create-crl.js';
export {
  CRL_REASONS,
  type CrlEntriesRead,
  type CrlEntryRules,
  type CrlReason,
  encodeCrlEntries,
  NO_ENTRIES_READ,
  type RevokedEntry,
  readCrlEntries,
} from './crl-entries.js';
export { type CrlForm, crlAround, type TbsAround, tbsAround } from './crl-form.js';
export { crlShard, crlShardUrl, deltaCrlUrl } from './crl-shard.js';
export { crossPath } from './cross-path.js';
export { csrAttributes } from './csr-attributes.js';
export {
  DEMO_MANUFACTURER,
  type FactoryFiles,
  factorySerialNumber,
  makeFactoryIdentity,
} from './demo-factory-identity.js';
export { type DistinguishedName, encodeName, type NameAttribute } from './distinguished-name.js';
export type { BasicConstraints, CertificateExtensions, Extension, KeyUsage } from './extensions.js';
export { canonicalIpAddress } from './general-names.js';
export {
  type CertificateDescription,
  type CertificateIssuer,
  encodeTbsCertificate,
  issueCertificate,
  type Linting,
  type SignTbs,
  type ThrowawayKey,
} from './issue-certificate.js';
export { keyIdentifier } from './key-identifier.js';
export { type LintRules, lintCertificate } from './lint-certificate.js';
export {
  encodeOcspCertId,
  OCSP_HASHES,
  type OcspCertId,
  type OcspHash,
  type OcspIssuerHashes,
  ocspIssuerHashes,
} from './ocsp-cert-id.js';
export { createOcspRequest, MAX_OCSP_REQUEST_BYTES, type OcspRequest, parseOcspRequest } from './ocsp-request.js';
export {
  createOcspResponse,
  type OcspCertStatus,
  type OcspFailure,
  type OcspResponseDescription,
  type OcspSingleResponse,
  ocspFailure,
} from './ocsp-response.js';
export { OID } from './oids.js';
export { type ParsedCertificate, parseCertificate, parseCertificates } from './parse-certificate.js';
export { type CrlScope, type ParsedCrl, parseCrl, revocationOf, verifyCrl } from './parse-crl.js';
export { toPem } from './pem.js';
export { type CertificateProfile, parseProfile } from './profile-schema.js';
export { PROFILE_NAMES, PROFILES, type ProfileName } from './profiles.js';
export {
  type CertificateKeyAlgorithm,
  importPublicKey,
  keyAlgorithmOf,
  type SignatureCheck,
  signatureAlgorithmFor,
  signatureCheck,
} from './public-key.js';
export { type ChainOptions, validateChain } from './validate-chain.js';
export { isWeakKey } from './weak-keys.js';
