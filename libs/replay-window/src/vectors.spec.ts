import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, test } from '@jest/globals';
import { missing } from './missing.js';
import {
  accept,
  acceptInto,
  emptyWindow,
  mutableWindow,
  type ReplayWindow,
  type WindowLimits,
} from './replay-window.js';

/** One file a case under `vectors/replay-window`: steps from an empty window, then what the window is and misses. */
interface Vector {
  readonly limits: WindowLimits;
  readonly steps: readonly { seq: number; verdict: string; jumped?: number }[];
  readonly highest: number;
  readonly missing?: readonly [number, number][];
}

const folder = new URL('../../../vectors/replay-window/', import.meta.url);
const names = readdirSync(folder);
const vectors = names.map((name) => ({ name, ...(JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Vector) }));

describe('vectors/replay-window', () => {
  test.each(vectors)('$name', (vector) => {
    let window: ReplayWindow = emptyWindow();
    const inPlace = mutableWindow(window);
    const verdicts = vector.steps.map(({ seq }) => {
      const { verdict, ...rest } = accept(window, seq, vector.limits);
      const judgement = acceptInto(inPlace, seq, vector.limits);
      expect(judgement.verdict).toBe(verdict);
      if ('window' in rest) window = rest.window;
      return { seq, ...judgement };
    });
    expect(verdicts).toEqual(vector.steps);
    expect(window).toEqual(inPlace);
    expect(window.highest).toBe(vector.highest);
    if (vector.missing) expect(missing(window, 64)).toEqual(vector.missing);
  });

  it('has cases', () => {
    expect(vectors.length).toBeGreaterThan(10);
  });
});

describe('missing', () => {
  it('names the lowest ranges first, and no more than asked for', () => {
    const window = mutableWindow(emptyWindow());
    for (const seq of [2, 4, 6, 8]) acceptInto(window, seq, { hardLimit: 100 });
    expect(missing(window, 2)).toEqual([
      [1, 1],
      [3, 3],
    ]);
    expect(missing(window, 0)).toEqual([]);
    expect(missing(emptyWindow(), 10)).toEqual([]);
  });
});
