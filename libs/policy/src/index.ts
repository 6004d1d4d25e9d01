export {
  type BundleSlot,
  type CompiledBundle,
  checkPolicies,
  compileBundle,
  PolicyBundle,
  PolicyId,
} from './bundle.js';
export { decide, type PolicyDecision, type PolicyEntity, type PolicyRequest, type PolicyValue } from './decide.js';
export { Area, checkArea, isInside, type Position } from './geofence.js';
export { isTimeZone, type LocalTime, localTime } from './local-time.js';
export { type CaseResult, PolicyCase, PolicyRequestDocument, runCase } from './policy-case.js';
