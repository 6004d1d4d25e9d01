import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { AnswerCache } from './answer-cache.js';
import { cacheHeaders, isCurrent, refreshAt, requestOfPath, saysTheSame, statusOf, timesFrom } from './ocsp.js';
import { Rate } from './rate.js';
import { isDue, isValid } from './signer-life.js';

const NOW = new Date('2026-03-01T12:00:00.700Z');
const later = (seconds: number) => new Date(Date.parse('2026-03-01T12:00:00Z') + seconds * 1000);
const AT = later(-100);

describe('statusOf', () => {
  it.each([
    ['an issued certificate', { known: true, revokedAt: null, reason: null }, { status: 'good' }],
    ['what nobody issued', { known: false, revokedAt: null, reason: null }, { status: 'unknown' }],
    [
      'what force denied',
      { known: false, revokedAt: NOW, reason: 'superseded' as const },
      { status: 'revoked', revokedAt: later(0), reason: 'superseded' },
    ],
    [
      'a revoked certificate',
      { known: true, revokedAt: AT, reason: null },
      { status: 'revoked', revokedAt: AT, reason: undefined },
    ],
  ])('of %s', (_, standing, expected) => {
    expect(statusOf(standing)).toEqual(expected);
  });
});

const revoked = (reason?: 'superseded' | 'unspecified', revokedAt = AT) =>
  ({ status: 'revoked', revokedAt, reason }) as const;

test.each([
  [{ status: 'good' }, { status: 'good' }, true],
  [{ status: 'good' }, { status: 'unknown' }, false],
  [{ status: 'good' }, revoked(), false],
  [revoked(), revoked('unspecified'), true],
  [revoked(), revoked('superseded'), false],
  [revoked('superseded'), revoked('superseded', later(-99)), false],
] as const)('%o says the same as %o: %s', (a, b, same) => {
  expect([saysTheSame(a, b), saysTheSame(b, a)]).toEqual([same, same]);
});

describe('the times of an answer', () => {
  it('are whole seconds, its end never after the signer’s', () => {
    expect(timesFrom(NOW, 600, later(86_400))).toEqual({ thisUpdate: later(0), nextUpdate: later(600) });
    expect(timesFrom(NOW, 600, later(90)).nextUpdate).toEqual(later(90));
  });

  it('are halved for its renewal, and hold from the first to the last second', () => {
    const times = { thisUpdate: later(0), nextUpdate: later(600) };
    expect(refreshAt(times)).toEqual(later(300));
    expect([-1, 0, 599, 600].map((seconds) => isCurrent(times, later(seconds)))).toEqual([false, true, true, false]);
  });

  it('are what caches are told, a minute at most and never past the end', () => {
    const times = { thisUpdate: later(0), nextUpdate: later(600) };
    expect(cacheHeaders(times, '"e"', NOW)).toEqual({
      'last-modified': 'Sun, 01 Mar 2026 12:00:00 GMT',
      expires: 'Sun, 01 Mar 2026 12:10:00 GMT',
      etag: '"e"',
      'cache-control': 'max-age=60, public, no-transform, must-revalidate',
    });
    expect(cacheHeaders(times, '"e"', later(575))['cache-control']).toContain('max-age=25,');
    expect(cacheHeaders(times, '"e"', later(700))['cache-control']).toContain('max-age=0,');
  });
});

test('a signer is good for all its life, and due for the second half of it', () => {
  const life = { notBefore: later(0), notAfter: later(600) };
  const at = [-1, 0, 299, 300, 599, 600].map(later);
  expect(at.map((now) => isValid(life, now))).toEqual([false, true, true, true, true, false]);
  expect(at.map((now) => isDue(life, now))).toEqual([false, false, false, true, true, true]);
  expect(isDue(undefined, NOW)).toBe(true);
});

describe('requestOfPath', () => {
  it('reads any bytes back, however much of the base64 was percent-encoded', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.boolean(), (bytes, encoded) => {
        const base64 = Buffer.from(bytes).toString('base64');
        expect(requestOfPath(encoded ? encodeURIComponent(base64) : base64)).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it.each(['', '%', '%zz', 'a b', 'a-b_', '====', '%00', 'AAA%20'])('finds none in %j', (path) => {
    expect(requestOfPath(path)).toBeUndefined();
  });
});

describe('AnswerCache', () => {
  const answer = (certificate: string) => ({ certificate, nextUpdateMs: 0 });

  it('forgets every form of a certificate that changed, and nothing else', () => {
    const cache = new AnswerCache(10);
    cache.put('a1', answer('a'), cache.mark);
    cache.put('a2', answer('a'), cache.mark);
    cache.put('b1', answer('b'), cache.mark);
    expect(cache.changed('a')).toEqual(['a1', 'a2']);
    expect([cache.get('a1'), cache.get('a2'), cache.get('b1')]).toEqual([undefined, undefined, answer('b')]);
    expect(cache.changed('a')).toEqual([]);
  });

  it('takes nothing that was read before a change or a clearing', () => {
    const cache = new AnswerCache(10);
    for (const change of [() => cache.changed('other'), () => cache.clear()]) {
      const { mark } = cache;
      change();
      expect(cache.put('a1', answer('a'), mark)).toBe(false);
      expect(cache.get('a1')).toBeUndefined();
    }
  });

  it('holds no more than it may, the first one going first, and stays in step with itself', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(9), fc.nat(3), fc.boolean())), (steps) => {
        const cache = new AnswerCache<{ certificate: string; nextUpdateMs: number }>(4);
        const model = new Map<string, string>();
        for (const [request, certificate, isChange] of steps) {
          if (isChange) {
            const gone = [...model].filter(([, of]) => of === String(certificate)).map(([name]) => name);
            expect(new Set(cache.changed(String(certificate)))).toEqual(new Set(gone));
            for (const name of gone) model.delete(name);
          } else {
            cache.put(String(request), answer(String(certificate)), cache.mark);
            model.delete(String(request));
            model.set(String(request), String(certificate));
            if (model.size > 4) model.delete([...model.keys()][0] as string);
          }
          expect(cache.size).toBe(model.size);
          for (const [name, of] of model) expect(cache.get(name)?.certificate).toBe(of);
        }
      }),
    );
  });
});

describe('Rate', () => {
  it('gives a second’s worth at once, then as time passes, and never more for waiting long', () => {
    const rate = new Rate(10);
    const taken = (nowMs: number) => Array.from({ length: 30 }, () => rate.take(nowMs)).filter(Boolean).length;
    expect([taken(0), taken(0), taken(500), taken(100_000)]).toEqual([10, 0, 5, 10]);
  });
});
