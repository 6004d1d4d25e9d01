import { describe, expect, it, test } from '@jest/globals';
import { SerialNumber } from '@outrider/ids';
import fc from 'fast-check';
import { type CrlFile, crlEntry, crlOfFile, crlSignRequest, fileOf, nextCrlNumber } from './crl.js';

const NOW = new Date('2026-03-01T12:00:00.750Z');
const issuer = { issuerKeyId: 'ab'.repeat(20), prefix: 'abababababababab-' };
const plan = { issuer, baseUrl: 'http://127.0.0.1:9105/crl', shard: 3, validitySeconds: 600, hasDeltas: true };

describe('nextCrlNumber', () => {
  it('only goes forward, and never below the clock', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 45 }),
        fc.date({ min: new Date(0), noInvalidDate: true }),
        (last, now) => {
          const next = nextCrlNumber(last, now);
          expect(next).toBeGreaterThan(last);
          expect(next).toBeGreaterThanOrEqual(Math.floor(now.getTime() / 1000));
        },
      ),
    );
  });
});

const draft = {
  draft: '5c7d2c0e-3f53-4a55-8ad2-6a5d3cf2b0f1',
  entries: { count: 1, bytes: 40, sha256: 'ab'.repeat(32) },
};

describe('crlSignRequest', () => {
  it('has whole seconds, the shard as its distribution point, and its entries by their hash', () => {
    expect(crlSignRequest(plan, 7, draft, NOW, new Date(NOW.getTime() + 20_000))).toEqual({
      aud: 'ca.crl.sign.v2',
      iat: 1772366420,
      issuerKeyId: 'ab'.repeat(20),
      distributionPoint: 'http://127.0.0.1:9105/crl/abababababababab-3.crl',
      number: 7,
      hasDeltas: true,
      thisUpdate: '2026-03-01T12:00:00.000Z',
      nextUpdate: '2026-03-01T12:10:00.000Z',
      ...draft,
    });
  });

  it('has the place of the full list and no deltas where it is a delta', () => {
    expect(crlSignRequest({ ...plan, baseNumber: 5 }, 7, draft, NOW, NOW)).toMatchObject({
      distributionPoint: 'http://127.0.0.1:9105/crl/abababababababab-3.crl',
      baseNumber: 5,
      hasDeltas: false,
    });
  });
});

describe('crlEntry', () => {
  const serialNumber = SerialNumber.parse('01');
  const day = new Date('2026-02-01T00:00:00Z');
  const later = new Date('2026-03-01T12:00:01Z');
  test.each([
    ['what stands', { revokedAt: day, reason: 'superseded' as const }, { revokedAt: day, reason: 'superseded' }],
    [
      'a hold that was released',
      { revokedAt: null, reason: null, changedAt: day },
      { revokedAt: day, reason: 'removeFromCRL' },
    ],
    ['a revocation by a clock ahead', { revokedAt: later, reason: null }, { revokedAt: NOW, reason: 'unspecified' }],
  ])('%s', (_, status, expected) => {
    expect(crlEntry({ serialNumber, ...status }, NOW)).toEqual({ serialNumber, ...expected });
  });
});

describe('crlOfFile', () => {
  test.each<[string, CrlFile | undefined]>([
    ['0.crl', { prefix: '', shard: 0, kind: 'full' }],
    ['3.crl', { prefix: '', shard: 3, kind: 'full' }],
    ['3-delta.crl', { prefix: '', shard: 3, kind: 'delta' }],
    ['0123456789abcdef-1-delta.crl', { prefix: '0123456789abcdef-', shard: 1, kind: 'delta' }],
    ['0123456789abcdef-1.crl', { prefix: '0123456789abcdef-', shard: 1, kind: 'full' }],
    ['4.crl', undefined],
    ['4-delta.crl', undefined],
    ['-delta.crl', undefined],
    ['0123456789abcdef-4.crl', undefined],
    ['0123456789ABCDEF-1.crl', undefined],
    ['abc-1.crl', undefined],
    ['03.crl', undefined],
    ['-1.crl', undefined],
    ['1.crl.gz', undefined],
    ['', undefined],
    ['99999999999.crl', undefined],
  ])('%s of 4 shards -> %p', (file, name) => {
    expect(crlOfFile(file, 4)).toEqual(name);
    if (name) expect(fileOf(name)).toBe(file);
  });
});
