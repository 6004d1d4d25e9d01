export { Policies } from './policies.store.js';
