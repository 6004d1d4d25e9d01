export { COSE_EXTERNAL_AAD, type CoseExternalAad, JCS_TYP, type JcsTyp, JWS_TYP, type JwsTyp } from './contexts.js';
export {
  type CoseExpectation,
  type CoseMessage,
  type CoseRefusal,
  type CoseVerdict,
  prepareCoseSign1,
  signCoseSign1,
  verifyCoseSign1,
} from './cose.js';
export { decodeBase64url, decodeSignature } from './decode-signature.js';
export { constantTimeEqual, keyThumbprint, sha256, sha256Base64url, sha256Hex, thumbprint } from './digest.js';
export { derToP1363, p1363ToDer } from './ecdsa-form.js';
export { importPublicKey } from './import-public-key.js';
export {
  type JwsExpectation,
  type JwsHeader,
  type JwsHeaderName,
  type JwsRefusal,
  type JwsVerdict,
  jwsSigner,
  type ParsedJws,
  parseFlattenedJws,
  parseJws,
  signJws,
  verifyJws,
} from './jws.js';
export { type EcdsaAlgorithm, type KeyAlgorithm, keyAlgorithm } from './key-algorithm.js';
export { sign, signDer } from './sign.js';
export { type VerificationKey, verificationKey, verificationKeyOf } from './verification-key.js';
export { verifySignature } from './verify-signature.js';
