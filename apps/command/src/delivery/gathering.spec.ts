import { expect, it } from '@jest/globals';
import { Gathering } from './gathering.js';

it('runs what arrives meanwhile together, in order, and gives each call its own result', async () => {
  const rounds: number[][] = [];
  const gathering = new Gathering<number, number>(
    async (items) => {
      rounds.push([...items]);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return items.map((item) => (item === 3 ? { error: new Error('three') } : { ok: item * 2 }));
    },
    { most: 3, rounds: 1 },
  );
  const settled = await Promise.allSettled([1, 2, 3, 4, 5].map((item) => gathering.add(item)));
  expect(rounds).toEqual([[1], [2, 3, 4], [5]]);
  expect(settled.map((each) => (each.status === 'fulfilled' ? each.value : String(each.reason)))).toEqual([
    2,
    4,
    'Error: three',
    8,
    10,
  ]);
});

it('tries each call alone when a round fails: one does not fail its neighbours', async () => {
  const gathering = new Gathering<string, string>(
    async (items) => {
      if (items.includes('bad')) throw new Error('bad');
      return items.map((item) => ({ ok: item }));
    },
    { most: 10, rounds: 1 },
  );
  const settled = await Promise.allSettled(['first', 'a', 'bad', 'b'].map((item) => gathering.add(item)));
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
});
