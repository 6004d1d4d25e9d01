import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import { checkPolicies, compileBundle, PolicyBundle } from './bundle.js';
import { decide, type PolicyRequest } from './decide.js';
import { PolicyCase, runCase } from './policy-case.js';

const folder = join(import.meta.dirname, '../../../policies');
const schema = readFileSync(join(folder, 'schema.cedarschema'), 'utf8');
const shipped = Object.fromEntries(
  readdirSync(folder)
    .filter((name) => name.endsWith('.cedar'))
    .map((name) => [name.slice(0, -'.cedar'.length), readFileSync(join(folder, name), 'utf8')]),
);
const bundleOf = (policies: Record<string, string>, version = 1): PolicyBundle =>
  PolicyBundle.parse({ version, schema, policies });
const cases = readdirSync(join(folder, 'tests')).flatMap((name) =>
  PolicyCase.array().parse(JSON.parse(readFileSync(join(folder, 'tests', name), 'utf8'))),
);

describe('the policies that a fleet starts with', () => {
  const bundle = compileBundle(bundleOf(shipped), 'in-force');

  test.each(cases)('$name', (one) => {
    expect(runCase(bundle, one)).toMatchObject({ held: true, seen: { version: 1 } });
  });

  it('each decides at least one of the cases', () => {
    const deciding = new Set(cases.flatMap((one) => runCase(bundle, one).seen.policies));
    expect([...deciding].sort()).toEqual(Object.keys(shipped).sort());
  });
});

const request: PolicyRequest = {
  principal: { type: 'Operator', id: 'op:1', attributes: { roles: [], secondFactor: false, elevated: false } },
  action: 'block',
  resource: { type: 'Vehicle', id: 'device-12345', attributes: { state: 'active', attestation: 'none', labels: [] } },
  context: { local: { hour: 1, minuteOfDay: 60, weekday: 1 }, vehicle: { geofences: [], outsideGeofence: false } },
};
const ALL = 'permit (principal, action, resource);';

describe('decide', () => {
  it('denies what nothing permits', () => {
    expect(decide(compileBundle(bundleOf({}), 'candidate'), request)).toEqual({
      decision: 'deny',
      policies: [],
      errors: [],
      version: 1,
    });
  });

  it('names the forbid, not the permit that it overrides', () => {
    const policies = { all: ALL, never: 'forbid (principal, action, resource);' };
    const bundle = compileBundle(bundleOf(policies, 7), 'candidate');
    expect(decide(bundle, request)).toEqual({ decision: 'deny', policies: ['never'], errors: [], version: 7 });
  });

  it('denies where a policy fails, though another permits: overflow passes the schema', () => {
    const forbid = `forbid (principal, action, resource) when { context.local.hour + 9223372036854775807 > 0 };`;
    const bundle = compileBundle(bundleOf({ all: ALL, overflow: forbid }), 'candidate');
    expect(decide(bundle, request)).toMatchObject({ decision: 'deny', errors: [expect.stringMatching(/^overflow: /)] });
  });

  test.each<[string, Partial<PolicyRequest>]>([
    ['an action that there is not', { action: 'launch' }],
    ['a context without what it must hold', { context: {} }],
    [
      'an attribute of another type',
      { resource: { ...request.resource, attributes: { ...request.resource.attributes, state: 1 } } },
    ],
    ['an attribute too many', { context: { ...request.context, extra: true } }],
  ])('denies %s, and says so', (_name, changed) => {
    const bundle = compileBundle(bundleOf({ all: ALL }), 'candidate');
    expect(decide(bundle, request).decision).toBe('allow');
    const seen = decide(bundle, { ...request, ...changed });
    expect(seen).toMatchObject({ decision: 'deny', policies: [] });
    expect(seen.errors.join()).not.toBe('');
  });

  it('decides by its own policies, whatever was compiled into its place since', () => {
    const before = compileBundle(bundleOf({ all: ALL }), 'candidate');
    const after = compileBundle(bundleOf({}, 2), 'candidate');
    expect([decide(before, request), decide(after, request), decide(before, request)]).toMatchObject([
      { decision: 'allow', version: 1 },
      { decision: 'deny', version: 2 },
      { decision: 'allow', version: 1 },
    ]);
  });
});

describe('a bundle', () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ['no Cedar', { broken: 'permit (principal' }, /^broken: /],
    ['two policies under one id', { two: `${ALL} ${ALL}` }, /two: one policy/],
    ['a template', { open: 'permit (principal == ?principal, action, resource);' }, /open: one policy/],
    [
      'an attribute that the schema does not know',
      { odd: 'permit (principal, action, resource) when { resource.colour == "red" };' },
      /odd: /,
    ],
    [
      'an optional attribute that is not asked for first',
      {
        lax: `forbid (principal, action == Outrider::Action::"dispatch_command", resource) when { context.vehicle.speedKmh > 5 };`,
      },
      /lax: /,
    ],
  ])('is refused with %s', (_name, policies, message) => {
    expect(() => checkPolicies(bundleOf(policies))).toThrow(expect.objectContaining({ code: 'policy.invalid' }));
    try {
      checkPolicies(bundleOf(policies));
    } catch (error) {
      expect((error as { detail: string }).detail).toMatch(message);
    }
  });

  it('that does not hold leaves the one in force in its place', () => {
    const before = compileBundle(bundleOf({ all: ALL }), 'candidate');
    expect(() => compileBundle(bundleOf({ broken: 'permit' }, 2), 'candidate')).toThrow();
    expect(() => compileBundle({ ...bundleOf({ all: ALL }, 2), schema: 'entity {' }, 'candidate')).toThrow();
    expect(decide(before, request).decision).toBe('allow');
  });
});
