export { AdmitAnyone, AdmitCertificate, AdmitToken, RequireOperator } from './decorators.provider.js';
