import { describe, expect, it, test } from '@jest/globals';
import { SerialNumber } from '@outrider/ids';
import fc from 'fast-check';
import { crlOfFile, crlSignRequest, nextCrlNumber } from './crl.js';

const NOW = new Date('2026-03-01T12:00:00.750Z');
const issuer = { issuerKeyId: 'ab'.repeat(20), prefix: 'abababababababab-' };
const plan = { issuer, baseUrl: 'http://127.0.0.1:9105/crl', shard: 3, validitySeconds: 600 };

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

describe('crlSignRequest', () => {
  it('has whole seconds, the shard as its distribution point, the first date and the gravest reason', () => {
    const serialNumber = SerialNumber.parse('01');
    const entries = [
      {
        serialNumber,
        revokedAt: new Date('2026-02-01T00:00:00.9Z'),
        reasons: ['superseded', 'keyCompromise'] as const,
      },
    ];
    expect(crlSignRequest(plan, 7, entries, NOW)).toEqual({
      aud: 'ca.crl.sign.v1',
      iat: 1772366400,
      issuerKeyId: 'ab'.repeat(20),
      distributionPoint: 'http://127.0.0.1:9105/crl/abababababababab-3.crl',
      number: 7,
      thisUpdate: '2026-03-01T12:00:00.000Z',
      nextUpdate: '2026-03-01T12:10:00.000Z',
      entries: [{ serialNumber, revokedAt: '2026-02-01T00:00:00.000Z', reason: 'keyCompromise' }],
    });
  });
});

describe('crlOfFile', () => {
  test.each([
    ['0.crl', { prefix: '', shard: 0 }],
    ['3.crl', { prefix: '', shard: 3 }],
    ['0123456789abcdef-1.crl', { prefix: '0123456789abcdef-', shard: 1 }],
    ['4.crl', undefined],
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
  });
});
