import { describe, expect, it, test } from '@jest/globals';
import { elevationFor } from './elevated-scope.js';
import {
  approve,
  type Elevation,
  ElevationBody,
  MAX_OPEN_REQUESTS,
  reject,
  requestElevation,
  requireFewOpen,
  revoke,
  stateOf,
} from './elevation.js';
import { elevationDocument } from './elevation-answers.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);
const ASKER = { id: 'a', identity: 'ann', roles: ['admin'] };
const OTHER = { id: 'b', identity: 'ben', roles: ['admin'] };
const SECOND_ACCOUNT = { id: 'c', identity: 'ann', roles: ['security-operator'] };
const body = { scope: 'policy:write', reason: 'the fence of the north depot', duration_seconds: 600 } as const;
const asked = requestElevation(ASKER, body, { elevationId: 'e', now: NOW });
const by = (party = OTHER, now = later(60), reason?: string) => ({ by: party, now, reason });
const granted = approve(asked, by());

describe('a request', () => {
  it('is one of a hundred that wait at most', () => {
    requireFewOpen(MAX_OPEN_REQUESTS - 1);
    expect(() => requireFewOpen(MAX_OPEN_REQUESTS)).toThrow(expect.objectContaining({ code: 'elevation.too_many' }));
  });

  it('is not approved by who has had the key of the account in hand', () => {
    const keyed = { ...asked, keyedBy: ['cleo', OTHER.identity] };
    expect(() => approve(keyed, by())).toThrow(expect.objectContaining({ code: 'elevation.same_person' }));
    expect(approve({ ...keyed, keyedBy: ['cleo'] }, by()).state).toBe('approved');
  });

  test.each([
    ['a reason that says nothing', { reason: 'because' }],
    ['a reason of blanks', { reason: ' '.repeat(20) }],
    ['a standing scope', { scope: 'device:read' }],
    ['no time', { duration_seconds: 0 }],
    ['a day', { duration_seconds: 86_400 }],
    ['something more', { approved: true }],
  ])('is refused with %s', (_name, change) => {
    expect(ElevationBody.safeParse({ ...body, ...change }).success).toBe(false);
    expect(ElevationBody.safeParse(body).success).toBe(true);
  });

  it('is for whom a role lets ask', () => {
    const ask = (role: string) => requestElevation({ ...ASKER, roles: [role] }, body, { elevationId: 'e', now: NOW });
    expect(() => ask('fleet-operator')).toThrow('elevation.not_allowed');
    expect(ask('security-operator').state).toBe('requested');
  });

  it('waits an hour, however long the grant would be', () => {
    expect(stateOf(asked, later(3599))).toBe('requested');
    expect(stateOf(asked, later(3600))).toBe('expired');
    expect(() => approve(asked, by(OTHER, later(3600)))).toThrow('elevation.closed');
    expect(() => reject(asked, by(OTHER, later(3600)))).toThrow('elevation.closed');
  });
});

describe('an approval', () => {
  test.each([
    ['the account that asked', ASKER],
    ['another account of who asked', SECOND_ACCOUNT],
    ['the account that asked, with another behind it by now', { ...OTHER, id: 'a' }],
  ])('is not for %s', (_name, party) => {
    expect(() => approve(asked, by(party))).toThrow('elevation.same_person');
  });

  it('is not for who stood behind the account when it asked, nor for who does now', () => {
    const handedOn: Elevation = { ...asked, identity: 'zoe' };
    expect(() => approve(handedOn, by(SECOND_ACCOUNT))).toThrow('elevation.same_person');
    expect(() => approve(handedOn, by({ ...OTHER, identity: 'zoe' }))).toThrow('elevation.same_person');
    expect(approve(handedOn, by()).state).toBe('approved');
  });

  it('starts the grant, which ends by itself', () => {
    expect(granted).toMatchObject({ state: 'approved', decidedBy: 'op:b', decidedAt: later(60), endsAt: later(660) });
    expect([stateOf(granted, later(659)), stateOf(granted, later(660))]).toEqual(['approved', 'ended']);
    expect(elevationDocument(granted, later(661))).toMatchObject({ state: 'ended', requested_by: 'op:a' });
  });

  it('comes once', () => {
    for (const closed of [granted, reject(asked, by())])
      for (const verdict of [approve, reject]) expect(() => verdict(closed, by())).toThrow('elevation.closed');
  });
});

describe('a revocation', () => {
  it('ends a grant, or withdraws a request', () => {
    for (const one of [asked, granted])
      expect(revoke(one, by(ASKER, later(70), 'done'), false)).toMatchObject({
        state: 'revoked',
        revokedBy: 'op:a',
        revocationReason: 'done',
      });
  });

  it('of another account is for who may approve', () => {
    expect(() => revoke(granted, by(), false)).toThrow('auth.scope_insufficient');
    expect(revoke(granted, by(), true).revokedBy).toBe('op:b');
  });

  it('may be repeated and changes nothing then; what ended by itself stays so', () => {
    const revoked = revoke(granted, by(), true);
    expect(revoke(revoked, by(ASKER), false)).toBe(revoked);
    expect(() => revoke(granted, by(OTHER, later(700)), true)).toThrow('elevation.closed');
    expect(() => revoke(reject(asked, by()), by(), true)).toThrow('elevation.closed');
  });
});

describe('a token', () => {
  const at = later(100);
  const pick = (scope: string | undefined, grants: readonly Elevation[], roles = ['admin'], now = at) =>
    elevationFor(scope, grants, roles, now)?.elevationId;

  it('uses a grant by naming its scope', () => {
    expect(pick('device:read policy:write', [granted])).toBe('e');
    expect(pick('device:read', [granted])).toBeUndefined();
    expect(pick(undefined, [granted])).toBeUndefined();
  });

  it('uses the grant that ends last', () => {
    const longer = { ...granted, elevationId: 'longer', endsAt: later(5000) };
    expect(pick('policy:write', [granted, longer])).toBe('longer');
  });

  test.each<[string, string, readonly Elevation[], string[], Date]>([
    ['a request', 'policy:write', [asked], ['admin'], at],
    ['a grant that ended', 'policy:write', [granted], ['admin'], later(660)],
    ['one that was revoked', 'policy:write', [revoke(granted, by(), true)], ['admin'], at],
    ['one of another scope', 'ca:revoke-bulk', [granted], ['admin'], at],
    ['a role that was taken since', 'policy:write', [granted], ['viewer'], at],
    ['two elevated scopes', 'policy:write ca:revoke-bulk', [granted], ['admin'], at],
    ['none', 'policy:write', [], ['admin'], at],
  ])('gets nothing by %s', (_name, scope, grants, roles, now) => {
    expect(() => pick(scope, grants, roles, now)).toThrow(
      expect.objectContaining({ code: 'token.invalid_scope' }) as never,
    );
  });
});
