export { Nats } from './nats.client.js';
export { type EventMeta, Subscriptions } from './subscriptions.service.js';
