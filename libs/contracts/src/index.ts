export { CONTRACTS } from './all.js';
export {
  authorityList,
  CertificateProfileName,
  CertificateSignItem,
  CertificatesSignRequest,
  CRL_ENTRIES_BYTES_MAX,
  CRL_PART_BYTES_MAX,
  CrlSignRequest,
  certificateGet,
  certificateIssued,
  certificatesSign,
  crlDraftRead,
  crlSign,
  SIGN_ITEMS_MAX,
  SignedCertificate,
} from './ca.js';
export { CommandState, commandChanged, deliveryOffered, streamRenewed } from './command.js';
export { type Contract, type EventContract, filterOf, type RequestContract, subjectOf } from './contract.js';
export { DENYLIST_ENTRY_KEYS, DENYLIST_HEARTBEAT_KEY, DENYLIST_MANIFEST_KEY, denylistKey } from './denylist-key.js';
export {
  blockChanged,
  DECISIONS_MADE,
  Decision,
  DeviceContext,
  decisionLogged,
  decisionMade,
  deviceContextGet,
  POLICIES_DECIDED,
  PoliciesInForce,
  PolicyDecided,
  policyDecided,
  SignedPolicies,
} from './gateway.js';
export { type NatsUsers, natsAuthorization } from './nats-config.js';
export {
  type DurableConsumer,
  durableConsumers,
  durableName,
  natsPermissions,
  readerOf,
  readerPermissions,
} from './nats-permissions.js';
export { OCSF_VERSION, OcsfDecision } from './ocsf.js';
export { page } from './page.js';
export { isTeamUser, type TeamUser, teamConsumers } from './platform-team.js';
export {
  certificateEnrolled,
  certificateSuperseded,
  DeviceSnapshot,
  deviceChanged,
  deviceDenied,
  deviceGet,
  deviceRecovered,
  FindingKind,
  findingRaised,
  targetsList,
  vehicleCertificateGet,
} from './provisioning.js';
export {
  BATCH_REFS_MAX,
  certificateBatchReleased,
  certificateBatchRevoked,
  certificateReleased,
  certificateRevoked,
  DenylistEntry,
  DenylistHeartbeat,
  DenylistKind,
  DenylistManifest,
  DenylistMode,
  denylistAdd,
  denylistEnforced,
  denylistRemove,
  deviceReleased,
  deviceRevoked,
  Enforcement,
  stapleGet,
} from './revocation.js';
export {
  renewalSubject,
  SERVICE_CERTIFICATE_RENEWALS,
  ServiceCertificateRequest,
  serviceCertificateRenew,
} from './service-certificate.js';
export {
  BUCKETS,
  type BucketSpec,
  DENYLIST_BUCKET,
  DENYLIST_SNAPSHOT_BUCKET,
  EVENTS_STREAM,
  INSTANCES_BUCKET,
  POLICIES_BUCKET,
  POLICIES_KEY,
} from './streams.js';
export { messageAccepted, recordBackfilled, telemetryFindingRaised } from './telemetry.js';
export { certificateSeen, Jwk, Jwks, jwksChanged, jwksGet, operatorsGet } from './token.js';
export {
  CertificateRef,
  DerBase64,
  DeviceState,
  Grant,
  Instant,
  IssuerKeyId,
  KeyThumbprint,
  RevocationReason,
  ServiceRequestJws,
} from './values.js';
