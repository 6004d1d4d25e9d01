import { describe, expect, it, test } from '@jest/globals';
import { DeviceState } from '@outrider/contracts';
import fc from 'fast-check';
import {
  denial,
  EVENT_KINDS,
  type EventKind,
  HOLDS,
  type LifecycleEvent,
  type Standing,
  transition,
} from './lifecycle.js';
import { may, POLICY } from './policy.js';

const event = (kind: EventKind): LifecycleEvent => {
  if (kind === 'revoked') return { kind, reason: 'keyCompromise' };
  return kind === 'suspended' ? { kind: 'revoked', reason: 'certificateHold' } : { kind };
};

function standing(state: DeviceState, parts: Partial<Standing> = {}): Standing {
  const held =
    state === 'quarantined'
      ? ({ holds: ['block'], resumes: 'active' } as const)
      : ({ holds: [], resumes: null } as const);
  return { state, ...held, inWorkshop: false, ...parts };
}

describe('every event in every state', () => {
  // Quarantined here for a block alone, from active. `-`: may not happen.
  // biome-ignore format: a table is read by its columns
  const TABLE: readonly (readonly [EventKind, string, string, string, string, string])[] = [
    // event               registered      active               quarantined          awaiting_recovery    retired
    ['enrolled',          'active',       'active',            '-',                 '-',                 '-'],
    ['blocked',           'quarantined',  'quarantined',       'quarantined',       'awaiting_recovery', 'retired'],
    ['unblocked',         'registered',   'active',            'active',            'awaiting_recovery', 'retired'],
    ['suspended',         'quarantined',  'quarantined',       'quarantined',       'awaiting_recovery', 'retired'],
    ['released',          'registered',   'active',            'quarantined',       'awaiting_recovery', 'retired'],
    ['revoked',           'awaiting_recovery', 'awaiting_recovery', 'awaiting_recovery', 'awaiting_recovery', 'retired'],
    ['theft_reported',    'quarantined',  'quarantined',       'quarantined',       'awaiting_recovery', '-'],
    ['theft_cleared',     '-',            '-',                 '-',                 '-',                 '-'],
    ['suspected',         'quarantined',  'quarantined',       'quarantined',       'awaiting_recovery', 'retired'],
    ['suspicion_cleared', '-',            '-',                 '-',                 '-',                 '-'],
    ['workshop_entered',  'registered',   'active',            'quarantined',       'awaiting_recovery', '-'],
    ['workshop_left',     'registered',   'active',            'quarantined',       'awaiting_recovery', '-'],
    ['sold',              'registered',   'registered',        '-',                 '-',                 '-'],
    ['recovered',         '-',            '-',                 '-',                 'registered',        '-'],
    ['reinstated',        '-',            '-',                 '-',                 '-',                 'registered'],
    ['ecu_swapped',       'registered',   'registered',        '-',                 'registered',        '-'],
    ['retired',           'retired',      'retired',           'retired',           'retired',           'retired'],
  ];
  const cases = TABLE.flatMap(([kind, ...row]) =>
    DeviceState.options.map((state, i) => [kind, state, row[i] as string] as const),
  );

  test('is written out', () => expect(new Set(cases.map(([kind]) => kind))).toEqual(new Set(EVENT_KINDS)));

  test.each(cases)('%s, %s: %s', (kind, state, expected) => {
    expect(transition(standing(state), event(kind))?.state ?? '-').toBe(expected);
  });
});

describe('quarantine', () => {
  const after = (from: Standing, ...kinds: EventKind[]) =>
    kinds.reduce<Standing | undefined>((one, kind) => one && transition(one, event(kind)), from);

  it('ends with the last thing that holds the device, and goes back to where it came from', () => {
    const both = after(standing('active'), 'blocked', 'theft_reported');
    expect(both).toMatchObject({ state: 'quarantined', holds: ['block', 'theft'], resumes: 'active' });
    expect(after(both as Standing, 'unblocked')).toMatchObject({ state: 'quarantined', holds: ['theft'] });
    expect(after(both as Standing, 'unblocked', 'theft_cleared')).toEqual(standing('active'));
    expect(after(standing('registered'), 'suspected', 'suspicion_cleared')).toEqual(standing('registered'));
  });

  it('for a hold of revocation is ended by an order alone', () => {
    const held = after(standing('active'), 'suspended') as Standing;
    expect(after(held, 'unblocked')).toBe(held);
    expect(after(held, 'released')).toEqual(standing('active'));
    expect(after(after(held, 'blocked') as Standing, 'released')).toMatchObject({ holds: ['block'] });
    expect(after(held, 'recovered')).toEqual(standing('registered'));
    expect(after(after(held, 'blocked') as Standing, 'recovered')).toEqual(standing('registered'));
  });

  it.each([
    ['theft_reported', 'theft_cleared'],
    ['suspected', 'suspicion_cleared'],
  ] as const)('after %s is ended by no order of recovery before %s', (reported, cleared) => {
    const both = after(standing('active'), 'suspended', reported) as Standing;
    expect(after(both, 'recovered')).toBeUndefined();
    expect(after(both, cleared, 'recovered')).toEqual(standing('registered'));
  });

  it('says of itself what the registry wants denied: no more than its own', () => {
    expect(denial(standing('quarantined'))).toBeUndefined();
    expect(denial(standing('quarantined', { holds: ['block', 'theft'] }))).toEqual({
      mode: 'recovery',
      reason: 'theft',
    });
    expect(denial(standing('retired'))).toEqual({ mode: 'deny', reason: 'retired' });
    expect(denial(standing('awaiting_recovery'))).toMatchObject({ mode: 'deny' });
    for (const state of ['registered', 'active'] as const) expect(denial(standing(state))).toBeUndefined();
  });

  it('changes nothing twice', () => {
    for (const kind of ['blocked', 'theft_reported', 'suspected', 'suspended', 'workshop_entered'] as const) {
      const once = after(standing('active'), kind) as Standing;
      expect(transition(once, event(kind))).toBe(once);
    }
  });
});

describe('whatever happens', () => {
  const ORDERS: readonly EventKind[] = ['recovered', 'reinstated', 'ecu_swapped'];
  const anyStanding = fc.constantFrom(...DeviceState.options).chain((state) =>
    fc.record({
      state: fc.constant(state),
      holds: state === 'quarantined' ? fc.uniqueArray(fc.constantFrom(...HOLDS), { minLength: 1 }) : fc.constant([]),
      resumes: state === 'quarantined' ? fc.constantFrom('registered' as const, 'active' as const) : fc.constant(null),
      inWorkshop: fc.boolean(),
    }),
  );
  const walk = (from: Standing, path: readonly EventKind[]) =>
    path.reduce<Standing>((one, kind) => transition(one, event(kind)) ?? one, from);
  const withoutOrders = fc.array(fc.constantFrom(...EVENT_KINDS.filter((kind) => !ORDERS.includes(kind))));

  it('no path without an approved order leads out of retired or awaiting_recovery', () => {
    fc.assert(
      fc.property(withoutOrders, fc.boolean(), (path, inWorkshop) => {
        expect(walk(standing('retired', { inWorkshop }), path).state).toBe('retired');
        expect(['awaiting_recovery', 'retired']).toContain(
          walk(standing('awaiting_recovery', { inWorkshop }), path).state,
        );
      }),
    );
  });

  it('a hold of revocation stays until its release, an order, a revocation or the end', () => {
    fc.assert(
      fc.property(withoutOrders, (path) => {
        const kept = path.filter((kind) => kind !== 'released');
        const end = walk(standing('quarantined', { holds: ['revocation'] }), kept);
        expect(end.holds.includes('revocation') || ['awaiting_recovery', 'retired'].includes(end.state)).toBe(true);
      }),
    );
  });

  it('a device is quarantined exactly while something holds it', () => {
    fc.assert(
      fc.property(anyStanding, fc.array(fc.constantFrom(...EVENT_KINDS)), (from, path) => {
        const { state, holds, resumes } = walk(from, path);
        expect(holds.length > 0).toBe(state === 'quarantined');
        expect(resumes !== null).toBe(state === 'quarantined');
      }),
    );
  });
});

describe('what a device may still do', () => {
  test.each<[DeviceState, string]>([
    ['registered', 'enrol'],
    ['active', 'enrol renew token telemetry command recoveryCommand offlineLog attest'],
    ['quarantined', 'recoveryCommand offlineLog attest'],
    ['awaiting_recovery', ''],
    ['retired', ''],
  ])('%s: %s', (state, expected) => {
    expect(POLICY[state].join(' ')).toBe(expected);
  });

  it('in quarantine renews nothing', () => {
    expect(may('quarantined', 'renew')).toBe(false);
    expect(may('quarantined', 'enrol')).toBe(false);
  });
});
