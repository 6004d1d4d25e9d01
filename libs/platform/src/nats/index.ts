export { IdentityRenewal } from './identity-renewal.service.js';
export { type KeptMessage, KeptPublisher } from './kept-publisher.client.js';
export { Nats } from './nats.client.js';
export { ServiceIdentity } from './service-identity.provider.js';
export { type EventMeta, Subscriptions } from './subscriptions.service.js';
