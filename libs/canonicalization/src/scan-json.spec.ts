import { describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import fc from 'fast-check';
import { type ScanLimits, scanJson } from './scan-json.js';

const limits: ScanLimits = { maxBytes: 1_048_576, maxDepth: 64 };
const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');
const scan = (text: string, more: Partial<ScanLimits> = {}) => scanJson(bytes(text), { ...limits, ...more });

/** The code it is refused with, `accepted` otherwise; anything thrown that is no DomainError fails the test. */
function codeOf(run: () => unknown): string {
  try {
    run();
    return 'accepted';
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
}

describe('scanJson', () => {
  it('gives the exact bytes of every value, with no second parse', () => {
    const { root } = scan('[ {"payload" : { "a": 1.0 , "b":[1, 2] }, "signature":"ab\\u0063"}, {"payload":{}} ]');
    const [first, second] = root.elements();
    expect(Buffer.from(first!.member('payload')!.raw).toString()).toBe('{ "a": 1.0 , "b":[1, 2] }');
    expect(first!.member('signature')!.string()).toBe('abc');
    expect(
      first!
        .member('payload')!
        .member('b')!
        .elements()
        .map((node) => node.number()),
    ).toEqual([1, 2]);
    expect(first!.member('kid')).toBeUndefined();
    expect(second!.member('payload')!.members()).toEqual([]);
    expect(root.kind).toBe('array');
  });

  it('finds a member whose name was sent with escapes', () => {
    expect(scan('{"p\\u0061yload":7}').root.member('payload')!.number()).toBe(7);
    expect(scan('{"é😀":7}').root.member('é😀')!.number()).toBe(7);
  });

  it('reads a view at an offset of a larger buffer', () => {
    const all = Buffer.from('xx{"a":1}yy');
    expect(scanJson(all.subarray(2, 9), limits).root.member('a')!.number()).toBe(1);
    expect(scanJson(new Uint8Array(all).subarray(2, 9), limits).root.value()).toEqual({ a: 1 });
  });

  it('keeps a member __proto__ as a plain member', () => {
    const value = scan('{"__proto__":{"admin":true}}').root.value() as object;
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect('admin' in value).toBe(false);
  });

  it('says where the fault is', () => {
    expect(() => scan('{"a":1,"\\u0061":2}')).toThrow('a member name comes twice at byte 7');
  });

  it('refuses a depth bound that recursion could not bear', () => {
    expect(() => scan('1', { maxDepth: 513 })).toThrow(RangeError);
  });

  test.each([
    ['too many bytes', '"aaaaaaaaa"', { maxBytes: 10 }, 'request.too_large'],
    ['as many bytes as allowed', '"aaaaaaaa"', { maxBytes: 10 }, 'accepted'],
    ['too deep', '[[[1]]]', { maxDepth: 2 }, 'request.malformed'],
    ['as deep as allowed', '[[1],{"a":2}]', { maxDepth: 2 }, 'accepted'],
    ['a long string', '"aaaaa"', { maxStringBytes: 4 }, 'request.malformed'],
    ['a long name', '{"aaaaa":1}', { maxStringBytes: 4 }, 'request.malformed'],
    ['a string as long as allowed', '"aaaa"', { maxStringBytes: 4 }, 'accepted'],
    ['a long number', '1.00000', { maxNumberLength: 6 }, 'request.malformed'],
    ['a number as long as allowed', '1.0000', { maxNumberLength: 6 }, 'accepted'],
    ['too many members', '{"a":1,"b":2,"c":3}', { maxMembers: 2 }, 'request.malformed'],
    ['too many elements', '[1,2,3]', { maxMembers: 2 }, 'request.malformed'],
    ['as many elements as allowed, each container for itself', '[[1,2],[3,4]]', { maxMembers: 2 }, 'accepted'],
  ])('limits: %s', (_name, text, more, expected) => {
    expect(codeOf(() => scan(text, more))).toBe(expected);
  });

  it('refuses 100,000 open brackets, and names that differ in nothing, at once', () => {
    for (const open of ['[', '{"a":']) {
      expect(codeOf(() => scan(open.repeat(100_000)))).toBe('request.malformed');
    }
    expect(codeOf(() => scan(`{${'"a":1,'.repeat(100_000)}"b":1}`))).toBe('request.malformed');
    expect(codeOf(() => scan('9'.repeat(1_000_000)))).toBe('request.malformed');
  });

  it('takes 60,000 distinct names in time that grows with their number', () => {
    const text = JSON.stringify(Object.fromEntries(Array.from({ length: 60_000 }, (_, index) => [`k${index}`, index])));
    const before = process.cpuUsage();
    expect(scan(text).root.member('k59999')!.number()).toBe(59_999);
    // Of the processor, which other work on the machine does not take from us: each name against each takes minutes.
    expect(process.cpuUsage(before).user).toBeLessThan(5_000_000);
  });

  it('accepts what JSON.stringify prints, and reads it to the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false, maxDepth: 6 }), fc.nat(3), (value, indent) => {
        fc.pre(isHonest(value));
        const text = JSON.stringify(value, undefined, indent);
        expect(scan(text).root.value()).toEqual(JSON.parse(text));
      }),
      { numRuns: 1_000 },
    );
  });

  it('accepts nothing that JSON.parse refuses, and all that it accepts but the refused classes', () => {
    const alphabet = [
      ...'{}[]:,"\\/ \n\t0123456789-+.eEtruefalsn',
      '"a"',
      '\\u0041',
      '\\ud83d\\ude00',
      'true',
      'null',
      '1',
      'é',
      '\u0007',
    ];
    const noise = fc.array(fc.constantFrom(...alphabet), { maxLength: 12 }).map((parts) => parts.join(''));
    const edited = fc
      .tuple(fc.json({ maxDepth: 3 }), fc.nat(), noise)
      .map(
        ([text, at, insert]) =>
          text.slice(0, at % (text.length + 1)) + insert + text.slice((at % (text.length + 1)) + 1),
      );
    fc.assert(
      fc.property(fc.oneof(noise, edited), (text) => {
        const parsed = parseOrUndefined(text);
        const code = codeOf(() => scan(text));
        if (parsed === undefined) expect(code).toBe('request.malformed');
        else if (code === 'accepted') expect(scan(text).root.value()).toEqual(parsed.value);
        else expect(isRefusedClass(text)).toBe(true);
      }),
      { numRuns: process.env.OUTRIDER_TEST_LONG === '1' ? 200_000 : 5_000 },
    );
  }, 120_000);
});

function parseOrUndefined(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** No lone surrogates and no unsafe integers anywhere, names included. */
function isHonest(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value === 'number')
    return !Number.isInteger(value) || Number.isSafeInteger(value) || String(value).includes('e');
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, member]) => isHonest(name) && isHonest(member));
}

/** Told another way than the scanner does: a reviver sees every value, duplicates show in a count of names. */
function isRefusedClass(text: string): boolean {
  let names = 0;
  let unsafe = false;
  JSON.parse(text, (name: string, value: unknown, context?: { source?: string }) => {
    const source = context?.source ?? '';
    if (typeof value === 'number' && (!Number.isFinite(value) || source.length > 64)) unsafe = true;
    if (typeof value === 'number' && /^-?\d+$/.test(source) && !Number.isSafeInteger(value)) unsafe = true;
    if (typeof value === 'string' && !value.isWellFormed()) unsafe = true;
    if (!name.isWellFormed()) unsafe = true;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) names += Object.keys(value).length;
    return value;
  });
  const namesSent = text
    .replaceAll(/"(?:[^"\\]|\\.)*"\s*(:?)/g, (_all, colon: string) => (colon ? '\u0000' : ''))
    .split('\u0000');
  return unsafe || namesSent.length - 1 > names;
}
