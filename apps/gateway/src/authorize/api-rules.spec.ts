import { describe, expect, it } from '@jest/globals';
import { ApiRules, apisByHost, compileApi, findRoute, hostName } from './api-rules.js';
import { originalTarget } from './original-target.js';

const base = {
  name: 'fleet-api',
  hosts: ['api.fleet.example.com'],
  audience: 'urn:outrider:fleet-api',
  publicUrls: ['https://api.fleet.example.com'],
};
const token = (path: string, scope: string, methods = ['GET']) => ({ methods, path, admit: 'token', scopes: [scope] });
const api = compileApi(
  ApiRules.parse({
    ...base,
    rules: [
      { methods: ['GET'], path: '/', admit: 'anyone' },
      { methods: ['GET', 'POST'], path: '/v1/admin/**', admit: 'nobody' },
      token('/v1/vehicles/{device}/trips', 'trips:read'),
      token('/v1/vehicles/{device}/doors', 'doors:write', ['POST']),
      token('/v1/files/*/meta', 'files:read'),
      token('/v1/**', 'all:read'),
    ],
  }),
);

function ruleOf(method: string, raw: string): string {
  const read = originalTarget(raw);
  if (!read.ok) return read.reason;
  const route = findRoute(api, method, read.target);
  if (!route.found) return route.code;
  return `${route.rule.path}${route.pathDevice === undefined ? '' : ` ${route.pathDevice || 'no device'}`}`;
}

describe('the rule of a request', () => {
  it.each([
    ['GET', '/', '/'],
    ['HEAD', '/', '/'],
    ['POST', '/', 'gateway.route_unknown'],
    ['GET', '/v1/vehicles/car-1/trips', '/v1/vehicles/{device}/trips car-1'],
    ['HEAD', '/v1/vehicles/car-1/trips', '/v1/vehicles/{device}/trips car-1'],
    ['GET', '/v1/vehicles/CAR_1/trips', '/v1/vehicles/{device}/trips no device'],
    ['POST', '/v1/vehicles/car-1/doors', '/v1/vehicles/{device}/doors car-1'],
    ['OPTIONS', '/v1/vehicles/car-1/doors', 'gateway.route_unknown'],
    ['get', '/v1/vehicles/car-1/trips', 'gateway.route_unknown'],
    ['GET', '/v1/files/7/meta', '/v1/files/*/meta'],
    ['GET', '/v1/anything/else', '/v1/**'],
    ['GET', '/v1', 'gateway.route_unknown'],
    ['GET', '/v2/anything', 'gateway.route_unknown'],
    ['GET', '/v1/admin/users', '/v1/admin/**'],
    ['GET', '/v1/ADMIN/users', 'gateway.path_ambiguous'],
    ['GET', '/v1/Vehicles/car-1/trips', 'gateway.path_ambiguous'],
    ['DELETE', '/v1/admin/users', 'gateway.route_unknown'],
  ])('%s %s: %s', (method, raw, wanted) => {
    expect(ruleOf(method, raw)).toBe(wanted);
  });

  it('is of the API with the host, whatever port and case', () => {
    const apis = apisByHost([api]);
    for (const host of ['api.fleet.example.com', 'API.fleet.example.com:8443', 'api.fleet.example.com.'])
      expect(apis.get(hostName(host))).toBe(api);
    for (const host of ['', 'fleet.example.com', 'api.fleet.example.com.evil.org', 'x@api.fleet.example.com'])
      expect(apis.get(hostName(host))).toBeUndefined();
    expect(() => apisByHost([api, compileApi({ ...api, name: 'other' })])).toThrow('is a host of');
  });
});

describe('rules are refused', () => {
  it.each([
    ['without scopes', { methods: ['GET'], path: '/x', admit: 'token', scopes: [] }],
    ['without a way to admit', { methods: ['GET'], path: '/x' }],
    ['with a member too many', { methods: ['GET'], path: '/x', admit: 'anyone', control: true }],
    ['with dots', token('/a/../b', 's')],
    ['with an empty segment', token('/a//b', 's')],
    ['with a rest in the middle', token('/a/**/b', 's')],
    ['with another name in braces', token('/a/{vehicle}', 's')],
    ['with two devices', token('/{device}/{device}', 's')],
    ['with an unknown method', token('/a', 's', ['BREW'])],
  ])('%s', (_name, rule) => {
    expect(ApiRules.safeParse({ ...base, rules: [rule] }).success).toBe(false);
  });
});
