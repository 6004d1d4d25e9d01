import { expect, test } from '@jest/globals';
import { routeOf } from './route.js';

test.each([
  ['/v1/telemetry', '/v1/telemetry'],
  ['/.well-known/est/simpleenroll', '/.well-known/est/simpleenroll'],
  ['/.well-known/est/a-label/simpleenroll', '/.well-known/est/:id/simpleenroll'],
  ['/v1/commands/7d6f1b52-6a39-4a55-9d7e-2f6a64a3c001/outcome', '/v1/commands/:id/outcome'],
  ['/v1/commands/device-of-words/outcome', '/v1/commands/:id/outcome'],
  ['/', '/'],
])('%s is %s', (path, route) => {
  expect(routeOf(path)).toBe(route);
});
