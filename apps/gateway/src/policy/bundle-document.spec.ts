import { expect, it, test } from '@jest/globals';
import { type StoredBundle, sameContent, shippedSuccessor } from './bundle-document.js';

const stored = (source: StoredBundle['source'], policies: Record<string, string>): StoredBundle => ({
  version: 4,
  schema: 's',
  policies,
  source,
  changedBy: 'op:1',
  reason: 'as it was',
  changedAt: new Date(0),
});
const shipped = { schema: 's', policies: { a: 'x' } };

test.each<[string, StoredBundle | undefined, number | undefined]>([
  ['the first start begins with version 1', undefined, 1],
  ['the same content stays', stored('shipped', { a: 'x' }), undefined],
  ['a later product ships others', stored('shipped', { a: 'y' }), 5],
  ["an operator's change stays for good", stored('operator', { a: 'y' }), undefined],
])('%s', (_name, latest, version) => {
  expect(shippedSuccessor(latest, shipped)?.version).toBe(version);
});

it('tells contents apart by schema, names and texts', () => {
  expect(sameContent(shipped, { schema: 's', policies: { a: 'x' } })).toBe(true);
  for (const other of [
    { schema: 't', policies: { a: 'x' } },
    { schema: 's', policies: { b: 'x' } },
    { schema: 's', policies: { a: 'x', b: 'x' } },
    { schema: 's', policies: {} },
  ]) {
    expect([sameContent(shipped, other), sameContent(other, shipped)]).toEqual([false, false]);
  }
});
