import { describe, expect, it, test } from '@jest/globals';
import { documentTag, parseIfMatch, requireMatch, versionTag } from './entity-tag.js';

test.each<[string | undefined, boolean, boolean]>([
  [undefined, true, true],
  ['*', true, false],
  ['"7"', true, false],
  ['"6", "7"', true, false],
  ['"6"', false, false],
  ['W/"7"', false, false],
  ['7', false, false],
  ['"seven"', false, false],
  ['', false, false],
])('If-Match %p at version 7: %p, and where nothing is: %p', (header, passes, passesNothing) => {
  for (const [tag, expected] of [
    [versionTag(7), passes],
    [undefined, passesNothing],
  ] as const) {
    const ask = () => requireMatch(parseIfMatch(header), tag);
    if (expected) expect(ask).not.toThrow();
    else expect(ask).toThrow('request.precondition_failed');
  }
});

describe('the tag of a document', () => {
  it('is the same however its members are ordered, and another for another content', () => {
    const tag = documentTag({ name: 'yard', area: { type: 'Polygon', coordinates: [1, 2] } });
    expect(documentTag({ area: { coordinates: [1, 2], type: 'Polygon' }, name: 'yard' })).toBe(tag);
    expect(documentTag({ name: 'yard', area: { type: 'Polygon', coordinates: [2, 1] } })).not.toBe(tag);
    expect(parseIfMatch(tag)).toEqual([tag]);
  });
});
