import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { missing } from './missing.js';
import {
  accept,
  acceptInto,
  emptyWindow,
  HARD_LIMIT,
  mutableWindow,
  restoreWindow,
  WINDOW_BITS,
} from './replay-window.js';

const limits = { hardLimit: HARD_LIMIT };
const STEPS = process.env.OUTRIDER_TEST_LONG === '1' ? 1_000_000 : 100_000;

describe('accept', () => {
  it('never moves the window it was given', () => {
    const window = emptyWindow();
    const verdict = accept(window, 5, limits);
    expect(verdict).toMatchObject({ verdict: 'accepted', window: { highest: 5 } });
    expect(window).toEqual(emptyWindow());
  });

  it('answers every number, however forged, without throwing or moving', () => {
    const window = mutableWindow(emptyWindow());
    acceptInto(window, 2_000, { hardLimit: 2_000 });
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.constantFrom(2 ** 53, 2 ** 64, 1e308, -1, 0, 1.5, Number.NaN)), (seq) => {
        fc.pre(!(Number.isInteger(seq) && seq >= 1 && seq <= 2_000 + HARD_LIMIT));
        const before = Uint8Array.from(window.bits);
        expect(['jump', 'too_old']).toContain(acceptInto(window, seq, limits).verdict);
        expect(window.highest).toBe(2_000);
        expect(window.bits).toEqual(before);
      }),
    );
  });

  it(`agrees with a set of everything accepted over ${STEPS} random steps`, () => {
    const seeds = [6479, 6480, 1, 2, 20_260_101];
    for (const seed of seeds) compareWithModel(seed, STEPS / seeds.length);
  });
});

describe('restoreWindow', () => {
  it('gives back what was stored', () => {
    const verdict = accept(emptyWindow(), 7, limits);
    if (verdict.verdict !== 'accepted') throw new Error('refused');
    const { highest, bits } = verdict.window;
    expect(accept(restoreWindow(highest, Buffer.from(bits)), 7, limits).verdict).toBe('duplicate_or_replayed');
  });

  it.each([
    [1, 127],
    [1, 129],
    [-1, 128],
    [2 ** 53, 128],
    [0.5, 128],
  ])('refuses highest %p with %p bytes', (highest, length) => {
    expect(() => restoreWindow(highest, new Uint8Array(length))).toThrow(RangeError);
  });
});

/** Park-Miller, so that a failing step can be found again by its seed. */
function compareWithModel(seed: number, steps: number): void {
  let state = seed;
  const random = (below: number): number => {
    state = (state * 48_271) % 0x7fffffff;
    return state % below;
  };
  const window = mutableWindow(emptyWindow());
  const model = new SetModel();
  // every second run begins below 2^32: 32-bit arithmetic would show there
  const start = seed % 2 === 0 ? 2 ** 32 - 5_000 : 1;
  acceptInto(window, start, { hardLimit: start });
  model.accepted(start);
  for (let step = 0; step < steps; step++) {
    const seq = nextSeq(window.highest, random);
    const expected = model.accept(seq);
    const actual = acceptInto(window, seq, limits).verdict;
    if (actual !== expected)
      throw new Error(`seed ${seed} step ${step} seq ${seq}: ${actual}, the model says ${expected}`);
    if (step % 1_000 === 0) expect(missing(window, WINDOW_BITS)).toEqual(model.missing());
  }
}

function nextSeq(highest: number, random: (below: number) => number): number {
  const kind = random(20);
  if (kind < 9) return highest + 1 + random(3);
  if (kind < 15) return highest - random(WINDOW_BITS + 16);
  if (kind < 17) return highest + random(2 * WINDOW_BITS);
  if (kind < 18) return highest + WINDOW_BITS - 2 + random(4);
  if (kind < 19) return highest + HARD_LIMIT + 1 + random(10);
  return random(50) - 10;
}

/** The same rules, told with a set of everything ever accepted. */
class SetModel {
  private highest = 0;
  private readonly seen = new Set<number>();

  accepted(seq: number): void {
    this.seen.add(seq);
    this.highest = Math.max(this.highest, seq);
  }

  accept(seq: number): string {
    if (seq > this.highest + HARD_LIMIT) return 'jump';
    if (seq < 1 || seq < this.highest - WINDOW_BITS + 1) return 'too_old';
    if (this.seen.has(seq)) return 'duplicate_or_replayed';
    this.accepted(seq);
    return 'accepted';
  }

  missing(): number[][] {
    const ranges: number[][] = [];
    for (let seq = Math.max(1, this.highest - WINDOW_BITS + 1); seq < this.highest; seq++) {
      if (this.seen.has(seq)) continue;
      const last = ranges.at(-1);
      if (last && last[1] === seq - 1) last[1] = seq;
      else ranges.push([seq, seq]);
    }
    return ranges;
  }
}
