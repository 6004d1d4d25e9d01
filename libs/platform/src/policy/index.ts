export { deniedBy } from './denied-by.js';
export { DeviceContexts } from './device-contexts.client.js';
export { Forbids } from './forbids.service.js';
export { Policies } from './policies.store.js';
export { PolicyModule } from './policy.module.js';
export {
  type CommandWord,
  controlTokenRequest,
  dispatchRequest,
  elevateRequest,
  type OperatorAttributes,
  operatorAttributes,
  outOfServiceRequest,
} from './policy-requests.js';
