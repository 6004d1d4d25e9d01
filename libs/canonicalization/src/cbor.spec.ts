import { describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import fc from 'fast-check';
import { canonicalize } from './canonicalize.js';
import { decodeCbor } from './cbor-decode.js';
import { encodeCbor } from './cbor-encode.js';
import { cborElements, cborMember, cborSequence } from './cbor-items.js';

const LIMITS = { maxBytes: 1_048_576, maxDepth: 32 };
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** Examples of RFC 8949, appendix A, within JSON's data model. */
const EXAMPLES: [string, unknown][] = [
  ['00', 0],
  ['01', 1],
  ['0a', 10],
  ['17', 23],
  ['1818', 24],
  ['1864', 100],
  ['1903e8', 1000],
  ['1a000f4240', 1_000_000],
  ['1b000000e8d4a51000', 1_000_000_000_000],
  ['20', -1],
  ['29', -10],
  ['3863', -100],
  ['3903e7', -1000],
  ['f93e00', 1.5],
  ['fb3ff199999999999a', 1.1],
  ['fa7f7fffff', 3.4028234663852886e38],
  ['fb7e37e43c8800759c', 1e300],
  ['f90001', 2 ** -24],
  ['f90400', 0.00006103515625],
  ['fbc010666666666666', -4.1],
  ['f4', false],
  ['f5', true],
  ['f6', null],
  ['60', ''],
  ['6161', 'a'],
  ['6449455446', 'IETF'],
  ['62225c', '"\\'],
  ['62c3bc', 'ü'],
  ['63e6b0b4', '水'],
  ['64f0908591', '\u{10151}'],
  ['80', []],
  ['83010203', [1, 2, 3]],
  ['8301820203820405', [1, [2, 3], [4, 5]]],
  ['98190102030405060708090a0b0c0d0e0f101112131415161718181819', Array.from({ length: 25 }, (_, index) => index + 1)],
  ['a0', {}],
  ['a26161016162820203', { a: 1, b: [2, 3] }],
  ['826161a161626163', ['a', { b: 'c' }]],
];

describe('deterministic CBOR (RFC 8949 §4.2.1) in the data model of JSON', () => {
  test.each(EXAMPLES)('%s is one value, both ways', (bytes, value) => {
    expect(decodeCbor(hex(bytes), LIMITS)).toEqual(value);
    expect(encodeCbor(value).toString('hex')).toBe(bytes);
  });

  test.each([
    ['f97c00', 'infinity'],
    ['f97e00', 'not a number'],
    ['fa7f800000', 'infinity in four bytes'],
    ['f7', 'undefined'],
    ['f0', 'an unassigned simple value'],
    ['f8ff', 'a simple value of two bytes'],
    ['f818', 'a reserved simple value'],
    ['4401020304', 'a byte string'],
    ['c11a514b67b0', 'a tag'],
    ['c249010000000000000000', 'a bignum'],
    ['1b0020000000000000', '2^53'],
    ['1bffffffffffffffff', '2^64-1'],
    ['3b001fffffffffffff', '-2^53'],
    ['1817', 'a number of two bytes that fits one'],
    ['190018', 'a number of three bytes that fits two'],
    ['1a0000ffff', 'a number of five bytes that fits three'],
    ['1b00000000ffffffff', 'a number of nine bytes that fits five'],
    ['3801', 'a negative number longer than it need be'],
    ['780161', 'a text length longer than it need be'],
    ['9801f6', 'an array length longer than it need be'],
    ['b801616101', 'a map length longer than it need be'],
    ['fa3fc00000', '1.5 in four bytes'],
    ['fb3ff8000000000000', '1.5 in eight bytes'],
    ['fb47efffffe0000000', 'a float of eight bytes that fits four'],
    ['5f42010243030405ff', 'a byte string of indefinite length'],
    ['7f657374726561646d696e67ff', 'text of indefinite length'],
    ['9fff', 'an array of indefinite length'],
    ['bf6161f6ff', 'a map of indefinite length'],
    ['ff', 'a break alone'],
    ['1c', 'a reserved length'],
    ['a2616201616102', 'names out of order'],
    ['a262616101616202', 'a longer name before a shorter one'],
    ['a2616101616102', 'a name twice'],
    ['a10102', 'a name that is a number'],
    ['61ff', 'text that is no UTF-8'],
    ['63eda080', 'a surrogate in UTF-8'],
    ['62c0af', 'an overlong slash'],
    ['0000', 'something after the value'],
    ['', 'nothing'],
    ['6261', 'text cut short'],
    ['8201', 'an array cut short'],
    ['a16161', 'a map cut short'],
    ['1a0000', 'a number cut short'],
    ['7b001fffffffffffff61', 'text of 2^53-1 bytes'],
    ['9b001fffffffffffff', 'an array of 2^53-1 elements'],
    ['bb001fffffffffffff', 'a map of 2^53-1 members'],
    ['9a00100000', 'an array of a million elements and none there'],
  ])('refuses %s: %s', (bytes) => {
    expect(codeOf(() => decodeCbor(hex(bytes), LIMITS))).toBe('request.malformed');
  });

  it('is bounded in depth and size', () => {
    const nested = (depth: number) => Buffer.concat([Buffer.alloc(depth, 0x81), hex('00')]);
    expect(codeOf(() => decodeCbor(nested(32), LIMITS))).toBe('ok');
    expect(codeOf(() => decodeCbor(nested(33), LIMITS))).toBe('request.malformed');
    expect(codeOf(() => decodeCbor(nested(100_000), LIMITS))).toBe('request.malformed');
    expect(codeOf(() => cborSequence(nested(100_000), LIMITS, 10))).toBe('request.malformed');
    expect(codeOf(() => decodeCbor(Buffer.alloc(5), { maxBytes: 4, maxDepth: 1 }))).toBe('request.too_large');
    expect(() => decodeCbor(hex('00'), { maxBytes: 4, maxDepth: 513 })).toThrow(RangeError);
  });

  it('keeps every value of JSON, and has one encoding for it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const bytes = encodeCbor(value);
        const decoded = decodeCbor(bytes, LIMITS);
        expect(canonicalize(decoded)).toBe(canonicalize(value));
        expect(encodeCbor(decoded)).toEqual(bytes);
      }),
    );
  });

  it('keeps every float, and takes no second form of it', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.nat(2), (value, kind) => {
        const one = kind === 0 ? value : kind === 1 ? Math.fround(value) : Math.round(value * 8) / 8;
        if (!Number.isFinite(one)) return;
        const bytes = encodeCbor(one);
        expect(decodeCbor(bytes, LIMITS)).toBe(Object.is(one, -0) ? 0 : one);
        if (bytes.length < 9 && bytes[0]! >= 0xf9) {
          const longer = Buffer.alloc(9, 0xfb);
          longer.writeDoubleBE(one, 1);
          expect(codeOf(() => decodeCbor(longer, LIMITS))).toBe('request.malformed');
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('reads every float of two bytes, and writes it so', () => {
    const wrong: string[] = [];
    for (let bits = 0; bits < 0x10000; bits++) {
      const half = Buffer.from([0xf9, bits >> 8, bits & 255]);
      if ((bits & 0x7c00) === 0x7c00) {
        if (codeOf(() => decodeCbor(half, LIMITS)) !== 'request.malformed') wrong.push(half.toString('hex'));
        continue;
      }
      const value = decodeCbor(half, LIMITS) as number;
      if (!Number.isInteger(value) && !encodeCbor(value).equals(half)) wrong.push(half.toString('hex'));
    }
    expect(wrong).toEqual([]);
  });

  it('takes nothing that it would not have written, floats of whole numbers aside', () => {
    const heads = fc.constantFrom(0x00, 0x18, 0x19, 0x20, 0x61, 0x62, 0x78, 0x81, 0x82, 0x98, 0xa1, 0xa2, 0xf4, 0xf6);
    fc.assert(
      fc.property(fc.array(fc.oneof(heads, fc.nat(255)), { maxLength: 24 }), (raw) => {
        const bytes = Buffer.from(raw);
        let value: unknown;
        try {
          value = decodeCbor(bytes, LIMITS);
        } catch (error) {
          expect(error).toBeInstanceOf(DomainError);
          return;
        }
        const hasFloat = raw.some((byte) => byte >= 0xf9 && byte <= 0xfb);
        if (!hasFloat) expect(encodeCbor(value)).toEqual(bytes);
      }),
      { numRuns: 5_000 },
    );
  });

  it('makes __proto__ a member like any other', () => {
    const value = decodeCbor(hex('a1695f5f70726f746f5f5fa1616101'), LIMITS);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(canonicalize(value)).toBe('{"__proto__":{"a":1}}');
  });

  test.each([
    ['undefined', undefined],
    ['a bigint', 1n],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['a lone surrogate', '\ud800'],
    ['a date', new Date(0)],
    ['a key of another type', new Map([[null, 1]])],
    ['a hole', Array(1)],
  ])('writes no %s', (_name, value) => {
    expect(codeOf(() => encodeCbor(value))).toBe('request.malformed');
  });

  it('ends with a cycle', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(codeOf(() => encodeCbor(cycle))).toBe('request.malformed');
  });
});

describe('CBOR sequences and slices', () => {
  it('cuts a sequence into its items, however they are nested', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 8 }), (values) => {
        const items = values.map((value) => encodeCbor(value));
        expect(cborSequence(Buffer.concat(items), LIMITS, 8)).toEqual(items);
      }),
    );
    expect(cborSequence(Buffer.alloc(100), LIMITS, 8)).toHaveLength(9);
    expect(codeOf(() => cborSequence(hex('0102 5f'), LIMITS, 8))).toBe('request.malformed');
    expect(codeOf(() => cborSequence(hex('01 62 61'), LIMITS, 8))).toBe('request.malformed');
  });

  it('gives the slice of a member and of each element', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.array(fc.jsonValue())), (value) => {
        const map = encodeCbor(value);
        for (const [name, elements] of Object.entries(value)) {
          const slice = cborMember(map, name, LIMITS)!;
          expect(slice).toEqual(encodeCbor(elements));
          expect(cborElements(slice, LIMITS)).toEqual(elements.map((element) => encodeCbor(element)));
        }
      }),
    );
    expect(cborMember(encodeCbor({ a: 1 }), 'b', LIMITS)).toBeUndefined();
    expect(cborMember(encodeCbor([1]), 'b', LIMITS)).toBeUndefined();
    expect(cborElements(encodeCbor({ a: 1 }), LIMITS)).toBeUndefined();
  });
});

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'ok';
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
}
