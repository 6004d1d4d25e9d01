export { DeviceClaims, OPERATOR_AUDIENCE, OperatorClaims, vehicleAudience } from './access-token.js';
export {
  type AdmissionContext,
  type AdmissionDecision,
  type AdmissionRequest,
  type AdmissionRoute,
  type Allowed,
  admit,
  type ClientCertificate,
  connectionSubject,
  type Denied,
} from './admit.js';
export { admitOperator, type OperatorContext, type OperatorDecision, type OperatorRequest } from './admit-operator.js';
export { admitDevice, checkBinding, hasScope, type NamedDevices } from './binding.js';
export { bearerToken, challenge } from './challenge.js';
export { jsonOf } from './compact-jws.js';
export {
  type AggregatedDecision,
  type AggregatorLimits,
  DecisionAggregator,
  type DecisionFacts,
} from './decision-aggregator.js';
export { type Applied, Denylist, entryNames } from './denylist.js';
export {
  type DenylistEntry,
  type DenylistKind,
  type DenylistMode,
  type DenylistSubject,
  denylistCode,
  entryHash,
  entryKey,
  serialValue,
} from './denylist-entry.js';
export { dpopChallenge, type PresentedToken, presentedToken } from './dpop-challenge.js';
export { DPOP_ALGORITHMS } from './dpop-key.js';
export { dpopNonce, NONCE_PERIOD_SECONDS, type NonceKey } from './dpop-nonce.js';
export { type DpopProof, type ProofExpectation, type ProofVerdict, verifyDpopProof } from './dpop-proof.js';
export { type ForwardedCertificate, type ForwardedHeaders, forwardedCertificate } from './forwarded-certificate.js';
export {
  compareToHeartbeat,
  DEFAULT_FRESHNESS,
  type Freshness,
  type FreshnessLimits,
  freshness,
  type ListState,
} from './freshness.js';
export { parseNetwork } from './ip-network.js';
export { ACR, type Acr, meetsStepUp, type StepUp } from './operator-authentication.js';
export {
  ELEVATED_SCOPES,
  type ElevatedScope,
  isElevatedScope,
  isOperatorScope,
  OPERATOR_SCOPES,
  type OperatorScope,
  PERSONAL_SCOPES,
  type PersonalScope,
  STANDING_SCOPES,
  type StandingScope,
} from './operator-scope.js';
export {
  PROTECTED_RESOURCE_PATH,
  type ProtectedResource,
  protectedResourceMetadata,
  withResourceMetadata,
} from './protected-resource.js';
export { type ServiceJwsVerdict, type ServiceTrust, verifyServiceJws } from './service-jws.js';
export {
  type KeyLookup,
  MAX_TOKEN_BYTES,
  type TokenExpectation,
  type TokenRefusal,
  type TokenVerdict,
  verifyAccessToken,
  verifyDeviceToken,
  verifyIssuedToken,
  verifyOperatorToken,
} from './verify-access-token.js';
