export { AccessTokens } from './access-tokens.service.js';
export {
  type Admission,
  Admitted,
  admissionOf,
  type CertificateAdmission,
  type OperatorAdmission,
  readmit,
  requireStillAdmitted,
  type VehicleAdmission,
} from './admitted.provider.js';
export { clientCertificate } from './client-certificate.js';
export { Connections } from './connections.service.js';
export { Decisions } from './decisions.service.js';
export { AdmitAnyone, AdmitCertificate, AdmitToken, RequireOperator } from './decorators.provider.js';
export { DenylistFeed } from './denylist-feed.client.js';
export { Dpop, nonceKeyOf } from './dpop.service.js';
export { DpopProofRepository } from './dpop-proof.repository.js';
export { JwksKeys } from './jwks.client.js';
export { Proxies } from './proxies.service.js';
export { judgeRoutes } from './route-rules.service.js';
