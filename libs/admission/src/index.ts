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
export {
  compareToHeartbeat,
  DEFAULT_FRESHNESS,
  type Freshness,
  type FreshnessLimits,
  freshness,
  type ListState,
} from './freshness.js';
export { parseNetwork } from './ip-network.js';
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
