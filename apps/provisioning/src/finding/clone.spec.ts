import { describe, expect, it, test } from '@jest/globals';
import { DeviceId } from '@outrider/ids';
import fc from 'fast-check';
import type { HeldCertificate } from '../certificate/certificate.js';
import { held, hours, NOW, named } from '../enrolment/decisions.fixture.js';
import { type CloneFacts, clones, deniedIdentity } from './clone.js';

const OTHER = DeviceId.parse('device-99999');
const minutes = (count: number): Date => new Date(NOW.getTime() + count * 60_000);

function facts(parts: Partial<CloneFacts> = {}): CloneFacts {
  return {
    operation: 're-enrol',
    held: [held('C')],
    presented: named('C'),
    keyThumbprint: 'a new key',
    remoteAddress: '10.0.0.1',
    lastAsk: undefined,
    keyHolders: [],
    keyRevoked: false,
    presentedKeyHolders: [],
    lifetimeSeconds: 86_400,
    ...parts,
  };
}
const factory = (parts: Partial<CloneFacts>): CloneFacts =>
  facts({ operation: 'enrol', held: [], presented: named('factory'), ...parts });
const lastAsk = (parts: object = {}) => ({
  presented: named('C'),
  keyThumbprint: 'an older key',
  remoteAddress: '10.0.0.1',
  at: minutes(-1),
  ...parts,
});
const successor = (name: string, parts: Partial<HeldCertificate> = {}) =>
  held(name, { status: 'pending', askedBy: named('C'), createdAt: minutes(-5), ...parts });
const renewed = held('C', { overlapEndsAt: hours(1), supersededBy: named('S') });
const said = (given: CloneFacts) =>
  clones(given, NOW).map(({ kind, certain }) => `${kind}${certain ? ' for certain' : ''}`);

describe('what a vehicle does by itself is no finding', () => {
  test.each<[string, CloneFacts]>([
    ['enrols', factory({})],
    ['enrols again after its certificate lapsed', factory({ held: [held('L', { notAfter: hours(-1) })] })],
    [
      'lost the answer to its enrolment',
      factory({ held: [held('P', { status: 'pending' })], keyThumbprint: 'key of P' }),
    ],
    ['lost it, and asks with another key', factory({ held: [held('P', { status: 'pending' })] })],
    [
      'asks with the factory certificate once more, late, with the key of the certificate in use',
      factory({ held: [held('L')], keyThumbprint: 'key of L' }),
    ],
    ['renews', facts()],
    ['renews with its own key', facts({ keyThumbprint: 'key of C' })],
    ['lost the answer to its renewal', facts({ held: [held('C'), successor('S')], keyThumbprint: 'key of S' })],
    [
      'asks once more, late, though its successor is in use',
      facts({ held: [renewed, successor('S', { status: 'live' })], keyThumbprint: 'key of S' }),
    ],
    [
      'asks once more, later still, when the overlap is over',
      facts({
        held: [held('C', { status: 'superseded', supersededBy: named('S') }), successor('S', { status: 'live' })],
        keyThumbprint: 'key of S',
      }),
    ],
    [
      'renews the successor during the overlap',
      facts({ held: [renewed, successor('S', { status: 'live' })], presented: named('S') }),
    ],
    [
      'asks again from another network, with the same key',
      facts({ lastAsk: lastAsk({ keyThumbprint: 'a new key', remoteAddress: '192.0.2.1' }) }),
    ],
    [
      'asks again from another address of the same network',
      facts({ lastAsk: lastAsk({ remoteAddress: '10.0.0.200' }) }),
    ],
    [
      'renews from another network, long after',
      facts({ lastAsk: lastAsk({ remoteAddress: '192.0.2.1', at: minutes(-11) }) }),
    ],
    [
      'renews a ten-minute certificate while it drives on',
      facts({ lifetimeSeconds: 600, lastAsk: lastAsk({ remoteAddress: '192.0.2.1', at: minutes(-6) }) }),
    ],
  ])('%s', (_what, given) => {
    expect(said(given)).toEqual([]);
  });
});

describe('what only two can do', () => {
  test.each<[string, CloneFacts, string[]]>([
    ['a key that is another device’s', facts({ keyHolders: [OTHER] }), ['key_reused for certain']],
    ['the same at the factory', factory({ keyHolders: [OTHER] }), ['key_reused for certain']],
    [
      'a factory certificate while a fleet certificate is in use',
      factory({ held: [held('L')] }),
      ['factory_certificate_while_live for certain'],
    ],
    [
      'a renewal with another key while the successor is in use',
      facts({ held: [renewed, successor('S', { status: 'live' })] }),
      ['overlapping_renewals for certain'],
    ],
    [
      'the same when the overlap is over',
      facts({
        held: [held('C', { status: 'superseded', supersededBy: named('S') }), successor('S', { status: 'live' })],
      }),
      ['overlapping_renewals for certain'],
    ],
    [
      'a lapsed one within the grace, when another was enrolled since',
      facts({ held: [held('C', { notAfter: hours(-1), createdAt: hours(-3) }), held('L')] }),
      ['overlapping_renewals for certain'],
    ],
  ])('%s', (_what, given, expected) => {
    expect(said(given)).toEqual(expected);
  });
});

describe('what may be two, and is served or refused without quarantine', () => {
  test.each<[string, CloneFacts, string[]]>([
    [
      'renewed with two keys, the first answer unused',
      facts({ held: [held('C'), successor('S')] }),
      ['overlapping_renewals'],
    ],
    [
      'the one of them that gave way, before the other is used',
      facts({
        presented: named('S'),
        held: [held('C'), successor('S', { status: 'superseded', supersededBy: named('T') }), successor('T')],
      }),
      ['overlapping_renewals'],
    ],
    [
      'two keys from two networks',
      facts({ lastAsk: lastAsk({ remoteAddress: '192.0.2.1' }) }),
      ['identity_in_two_places'],
    ],
    ['two factory certificates with one key', factory({ presentedKeyHolders: [OTHER] }), ['key_reused']],
    ['a revoked certificate', facts({ held: [held('C', { status: 'revoked' })] }), ['revoked_identity_used']],
    [
      'a factory certificate after a revocation',
      factory({ held: [held('R', { status: 'revoked' })] }),
      ['revoked_identity_used'],
    ],
    ['a key of a revoked certificate', facts({ keyRevoked: true }), ['revoked_identity_used']],
  ])('%s', (_what, given, expected) => {
    expect(said(given)).toEqual(expected);
  });
});

describe('on the denylist', () => {
  test.each([
    [held('C'), 'denylist.certificate', 'revoked_identity_used'],
    [held('C', { status: 'revoked' }), 'denylist.key', 'revoked_identity_used'],
    [held('C', { status: 'superseded' }), 'denylist.certificate', 'overlapping_renewals'],
    [held('C'), 'denylist.device', undefined],
    [held('C'), 'denylist.network', undefined],
  ])('%#', (given, code, expected) => {
    const found = deniedIdentity(given, '10.0.0.1', code);
    expect(found?.kind).toBe(expected);
    expect(found?.certain ?? false).toBe(false);
  });
});

describe('a finding', () => {
  it('names both networks and both certificates', () => {
    const [found] = clones(facts({ lastAsk: lastAsk({ presented: named('B'), remoteAddress: '192.0.2.1' }) }), NOW);
    expect(found).toMatchObject({ thumbprints: [named('C'), named('B')], remoteAddresses: ['10.0.0.1', '192.0.2.1'] });
  });

  it('is the same whatever key is asked for: nobody fills the log with new ones', () => {
    const withKey = (keyThumbprint: string) =>
      clones(
        facts({ held: [renewed, successor('S', { status: 'live' })], keyThumbprint, keyHolders: [OTHER] }),
        NOW,
      ).map(({ kind, about }) => [kind, about]);
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, two) => expect(withKey(`x${one}`)).toEqual(withKey(`x${two}`))),
    );
  });
});
