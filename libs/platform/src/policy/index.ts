export { Policies } from './policies.store.js';
export { PolicyModule } from './policy.module.js';
