import { describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import { SerialNumber } from '@outrider/ids';
import fc from 'fast-check';
import { CRL_REASONS, encodeCrlEntries, NO_ENTRIES_READ, type RevokedEntry, readCrlEntries } from './crl-entries.js';

const DATE = new Date('2026-03-01T11:30:00Z');
const RULES = { notBefore: new Date('2000-01-01T00:00:00Z'), notAfter: new Date('2060-01-01T00:00:00Z') };
const full = { ...RULES, mayRemove: false };
const delta = { ...RULES, mayRemove: true };
const entry = (serial: string, changes: Partial<RevokedEntry> = {}): RevokedEntry => ({
  serialNumber: SerialNumber.parse(serial),
  revokedAt: DATE,
  ...changes,
});
const encode = (...entries: RevokedEntry[]) => encodeCrlEntries(entries).der;
const read = (der: Uint8Array, rules = full) => readCrlEntries(der, NO_ENTRIES_READ, rules);

const serials = fc
  .uniqueArray(
    fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('hex')),
    {
      selector: (text) => SerialNumber.parse(text),
      maxLength: 40,
    },
  )
  .map((texts) => texts.map((text) => SerialNumber.parse(text)).sort());
const reasons = fc.constantFrom(undefined, ...(Object.keys(CRL_REASONS) as (keyof typeof CRL_REASONS)[]));
const dates = fc.date({ min: RULES.notBefore, max: RULES.notAfter, noInvalidDate: true });

describe('encodeCrlEntries and readCrlEntries', () => {
  it('agree on any entries that ascend, in one part or in several', () => {
    fc.assert(
      fc.property(serials, fc.infiniteStream(fc.tuple(reasons, dates)), fc.nat(40), (sorted, facts, cut) => {
        const entries = sorted.map((serialNumber) => {
          const [reason, revokedAt] = facts.next().value as [RevokedEntry['reason'], Date];
          return { serialNumber, reason, revokedAt };
        });
        const parts = [entries.slice(0, cut), entries.slice(cut)].map(encodeCrlEntries);
        const count = parts.reduce((sum, part) => sum + part.count, 0);
        const state = parts.reduce((before, { der }) => readCrlEntries(der, before, delta), NO_ENTRIES_READ);
        expect(state.count).toBe(count);
        expect(Buffer.concat(parts.map(({ der }) => der))).toEqual(Buffer.from(encode(...entries)));
      }),
    );
  });

  it('leaves out a serial number that no certificate can have, instead of spoiling the list', () => {
    const padded = { ...entry('01'), serialNumber: '0001' as SerialNumber };
    const { der, count } = encodeCrlEntries([entry('01'), entry('ff'.repeat(20)), padded, entry('7f'.repeat(20))]);
    expect(count).toBe(2);
    expect(read(der).count).toBe(2);
  });

  test.each<[string, Uint8Array]>([
    ['the same serial number twice', encode(entry('0a'), entry('0a'))],
    ['serial numbers that descend', encode(entry('0b'), entry('0a'))],
    ['a date that is to come', encode(entry('0a', { revokedAt: new Date('2061-01-01T00:00:00Z') }))],
    ['a date before all', encode(entry('0a', { revokedAt: new Date('1999-12-31T23:59:59Z') }))],
    ['removeFromCRL in a full list', encode(entry('0a', { reason: 'removeFromCRL' }))],
    ['an entry cut short', encode(entry('0a')).subarray(0, -1)],
    ['nothing but a header', Uint8Array.of(0x30)],
    ['a byte behind the last', Buffer.concat([encode(entry('0a')), Uint8Array.of(0)])],
    ['a negative serial number', changed('02010a', '02018a')],
    ['a serial number with padding', changed('3012' + '02010a', '3013' + '0202000a')],
    ['no serial number', changed('02010a', '04010a')],
    ['a serial number of nothing', changed('3012' + '02010a', '3011' + '0200')],
    ['a date that is none', changed(hexOf('260301'), hexOf('260230'))],
    ['a date in the form of other years', changed(`3012${'02010a'}170d`, `3014${'02010a'}180f${hexOf('20')}`)],
    ['reason 7', reasoned('07')],
    ['reason 0, which is left out', reasoned('00')],
    ['a reason that is none', reasoned('0b')],
    ['a critical extension', extended('300f' + '300d' + '0603551d15' + '0101ff' + '0403' + '0a0101')],
    ['another extension', extended('300c' + '300a' + '0603551d18' + '0403' + '0a0101')],
  ])('reads nothing of %s', (_, der) => {
    expect(() => read(der)).toThrow(expect.objectContaining({ code: 'x509.malformed' }));
  });

  it('takes removeFromCRL in a delta', () => {
    expect(read(encode(entry('0a', { reason: 'removeFromCRL' })), delta).count).toBe(1);
  });

  it('ends every octet string by an answer or by x509.malformed', () => {
    const valid = encode(entry('0a'), entry('0b', { reason: 'keyCompromise' }));
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length), (at, byte, length) => {
        const bytes = Uint8Array.from(valid);
        bytes[at] = byte;
        try {
          read(bytes.subarray(0, length));
        } catch (error) {
          expect(error).toBeInstanceOf(DomainError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

function hexOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('hex');
}

function changed(from: string, to: string): Uint8Array {
  const hex = Buffer.from(encode(entry('0a'))).toString('hex');
  if (!hex.includes(from)) throw new Error(`${from} is not in ${hex}`);
  return Buffer.from(hex.replace(from, to), 'hex');
}

function extended(extensions: string): Uint8Array {
  const hex =
    Buffer.from(encode(entry('0a')))
      .toString('hex')
      .slice(4) + extensions;
  return Buffer.from(`30${(hex.length / 2).toString(16).padStart(2, '0')}${hex}`, 'hex');
}

function reasoned(code: string): Uint8Array {
  return extended(`300c300a0603551d1504030a01${code}`);
}
