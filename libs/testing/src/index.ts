export { type CollectedSpan, startCollector, type TestCollector } from './collector.client.js';
export { createTestDatabase, type TestDatabase } from './database.client.js';
export { startDenylist, type TestDenylist } from './denylist.client.js';
export {
  createTestFleet,
  crossRoots,
  issue,
  issueCommandSigner,
  issueFactoryDevice,
  issueService,
  issueVehicle,
  type KeyType,
  type LeafOptions,
  type Party,
  type TestFleet,
  TRUST_DOMAIN,
} from './fleet.js';
export { freePort } from './free-port.client.js';
export { startGround, type TestGround, until } from './ground.client.js';
export { natsBinary, startNats, type TestNats } from './nats.client.js';
export { startPolicyOwner, type TestPolicyOwner } from './policy-owner.client.js';
export { type TestServiceParts, testServiceConfig } from './service.client.js';
export { startTokenService, type TestTokenService } from './token-service.client.js';
export { startWire, type TestWire } from './wire.client.js';
