import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import type { HeldCertificate } from '../certificate/certificate.js';
import { isLive } from '../certificate/certificate.js';
import { held, hours, NOW, named } from '../enrolment/decisions.fixture.js';
import { type FirstUse, firstUse } from './overlap.js';

const HOUR = 3600;
const pending = (name: string, parts: Partial<HeldCertificate> = {}) =>
  held(name, { status: 'pending', createdAt: hours(0), ...parts });

describe('the first use of a certificate', () => {
  test.each<[string, HeldCertificate[], Date, FirstUse | undefined]>([
    ['of the only one', [pending('N')], NOW, { used: named('N'), giveWay: [] }],
    [
      'starts the overlap of the one it renews',
      [pending('N', { askedBy: named('O') }), held('O')],
      NOW,
      { used: named('N'), overlap: { thumbprint: named('O'), endsAt: hours(1) }, giveWay: [] },
    ],
    [
      'counts from when it was seen',
      [pending('N', { askedBy: named('O') }), held('O')],
      hours(-0.5),
      { used: named('N'), overlap: { thumbprint: named('O'), endsAt: hours(0.5) }, giveWay: [] },
    ],
    [
      'counts from now where the other clock runs ahead',
      [pending('N', { askedBy: named('O') }), held('O')],
      hours(5),
      { used: named('N'), overlap: { thumbprint: named('O'), endsAt: hours(1) }, giveWay: [] },
    ],
    [
      'ends an overlap that still ran: two are live at most',
      [pending('N', { askedBy: named('O') }), held('O'), held('OO', { createdAt: hours(-9), overlapEndsAt: hours(2) })],
      NOW,
      { used: named('N'), overlap: { thumbprint: named('O'), endsAt: hours(1) }, giveWay: [named('OO')] },
    ],
    [
      'leaves lapsed ones alone',
      [pending('N'), held('O', { notAfter: hours(-1) })],
      NOW,
      { used: named('N'), giveWay: [] },
    ],
    ['seen before: nothing', [held('N')], NOW, undefined],
    ['superseded: nothing', [held('N', { status: 'superseded' })], NOW, undefined],
    ['revoked: nothing', [held('N', { status: 'revoked' })], NOW, undefined],
    ['lapsed: nothing', [pending('N', { notAfter: NOW })], NOW, undefined],
    ['unknown: nothing', [held('O')], NOW, undefined],
  ])('%s', (_what, certificates, seenAt, expected) => {
    expect(firstUse(certificates, named('N'), seenAt, HOUR, NOW)).toEqual(expected);
  });

  it('leaves at most two live, whatever was there', () => {
    const statuses = fc.constantFrom('pending', 'live', 'superseded', 'revoked') as fc.Arbitrary<
      HeldCertificate['status']
    >;
    const some = fc.array(fc.record({ status: statuses, hour: fc.integer({ min: -48, max: 0 }) }), { maxLength: 6 });
    fc.assert(
      fc.property(some, (others) => {
        const all = [
          pending('N'),
          ...others.map(({ status, hour }, i) => held(`x${i}`, { status, createdAt: hours(hour) })),
        ];
        const first = firstUse(all, named('N'), NOW, HOUR, NOW);
        const live = all.filter((one) => isLive(one, NOW) && !first?.giveWay.includes(one.thumbprint));
        return live.length + 1 <= 2;
      }),
    );
  });
});
