import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { formatTraceparent, isSampled, parseTraceparent } from './traceparent.js';

const [TRACE, SPAN] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];

describe('a traceparent', () => {
  test.each([
    ['recorded', `00-${TRACE}-${SPAN}-01`, true],
    ['not recorded', `00-${TRACE}-${SPAN}-00`, false],
    ['with flags of a later day', `00-${TRACE}-${SPAN}-fe`, false],
    ['of a later version', `01-${TRACE}-${SPAN}-01`, true],
    ['of a later version that goes on', `cc-${TRACE}-${SPAN}-01-what-else`, true],
  ])('%s', (_name, header, sampled) => {
    expect(parseTraceparent(header)).toEqual({ traceId: TRACE, spanId: SPAN, sampled });
  });

  test.each([
    ['none', undefined],
    ['empty', ''],
    ['no trace id', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['no span id', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['the version that is none', `ff-${TRACE}-${SPAN}-01`],
    ['version 00 that goes on', `00-${TRACE}-${SPAN}-01-more`],
    ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['short', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['two of them', `00-${TRACE}-${SPAN}-01,00-${TRACE}-${SPAN}-01`],
    ['white space around', ` 00-${TRACE}-${SPAN}-01 `],
    ['endless', `01-${TRACE}-${SPAN}-01-${'a'.repeat(300)}`],
    ['a line break', `00-${TRACE}-${SPAN}-01\r\nx: y`],
  ])('%s: ignored', (_name, header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });

  it('is read as it was written', () => {
    const hex = (length: number) =>
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
    fc.assert(
      fc.property(hex(31), hex(15), fc.boolean(), (trace, span, sampled) => {
        const caller = { traceId: `1${trace}`, spanId: `1${span}`, sampled };
        expect(parseTraceparent(formatTraceparent(caller))).toEqual(caller);
      }),
    );
  });
});

describe('whether a request is recorded', () => {
  const caller = (sampled: boolean) => ({ traceId: TRACE, spanId: SPAN, sampled });
  test.each([
    ['a believed caller says yes', caller(true), true, 0, 0.5, true],
    ['a believed caller says no', caller(false), true, 1, 0.5, false],
    ['a stranger says yes, the ratio says no', caller(true), false, 0, 0, false],
    ['a stranger says yes, the draw says no', caller(true), false, 0.1, 0.1, false],
    ['a stranger says no, the ratio says yes', caller(false), false, 1, 0.999, true],
    ['nobody says anything, within the ratio', undefined, false, 0.1, 0.05, true],
    ['nobody says anything, beyond the ratio', undefined, true, 0.1, 0.5, false],
  ])('%s', (_name, from, believed, sampleRatio, random, expected) => {
    expect(isSampled(from, { believed, sampleRatio, random })).toBe(expected);
  });
});
