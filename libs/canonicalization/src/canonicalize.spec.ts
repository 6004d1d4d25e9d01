import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import fc from 'fast-check';
import { canonicalize } from './canonicalize.js';

const vectors = fileURLToPath(new URL('../../../../shared/vectors/jcs', import.meta.url));
const haveVectors = existsSync(vectors);

describe('canonicalize', () => {
  (haveVectors ? describe : describe.skip)(
    `published vectors${haveVectors ? '' : ' (absent: ../shared/vectors/jcs)'}`,
    () => {
      const names = haveVectors ? readdirSync(`${vectors}/input`) : ['absent'];

      test.each(names)('%s', (name) => {
        const value: unknown = JSON.parse(readFileSync(`${vectors}/input/${name}`, 'utf8'));
        expect(canonicalize(value)).toBe(readFileSync(`${vectors}/output/${name}`, 'utf8'));
      });

      it('10,000 numbers', () => {
        const lines = gunzipSync(readFileSync(`${vectors}/es6testfile-first10k.txt.gz`))
          .toString()
          .trim()
          .split('\n');
        expect(lines).toHaveLength(10_000);
        const wrong = lines.filter((line) => {
          const [bits, expected] = line.split(',');
          return canonicalize(Buffer.from(bits!.padStart(16, '0'), 'hex').readDoubleBE(0)) !== expected;
        });
        expect(wrong).toEqual([]);
      });
    },
  );

  it('is idempotent, and keeps the value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalize(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalize(JSON.parse(text))).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });

  it('does not depend on the order of members', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.integer()), (value) => {
        expect(canonicalize(Object.fromEntries(Object.entries(value).reverse()))).toBe(canonicalize(value));
      }),
    );
  });

  const cycle: unknown[] = [];
  cycle.push(cycle);
  let deep: unknown = 1;
  for (let depth = 0; depth < 100_000; depth++) deep = [deep];

  test.each<[string, unknown]>([
    ['NaN', Number.NaN],
    ['Infinity', [Number.NEGATIVE_INFINITY]],
    ['undefined', undefined],
    ['a member undefined', { a: undefined }],
    ['a hole', new Array(1)],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a symbol', Symbol('a')],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['bytes', new Uint8Array(1)],
    ['a lone surrogate', 'a\ud800'],
    ['a lone surrogate in a name', { 'a\udc00': 1 }],
    ['a cycle', cycle],
    ['100,000 levels', deep],
  ])('refuses %s', (_name, value) => {
    expect(() => canonicalize(value)).toThrow(DomainError);
  });

  it('takes objects without a prototype, and a member __proto__', () => {
    expect(canonicalize(Object.assign(Object.create(null), { b: 1, a: -0 }))).toBe('{"a":0,"b":1}');
    expect(canonicalize(JSON.parse('{"__proto__":{"b":1,"a":2}}'))).toBe('{"__proto__":{"a":2,"b":1}}');
  });
});
