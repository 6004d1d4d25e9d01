import { describe, expect, it } from '@jest/globals';
import { DeviceId, Epoch, StreamName } from '@outrider/ids';
import { HARD_LIMIT, MAX_JUMP, WINDOW_BITS } from '@outrider/replay-window';
import fc from 'fast-check';
import { type Candidate, type DeviceState, decideBatch, settle } from './decide-batch.js';

const NOW = 1_800_000_000_000;
const CAR = DeviceId.parse('device-1');
const fresh = (): DeviceState => ({ epoch: 0, minEpoch: 0, raisedAtMs: undefined, windows: new Map() });
const candidate = (
  seq: number,
  digest = `${seq}`,
  more: { stream?: string; epoch?: number; deviceId?: DeviceId } = {},
): Candidate => ({
  deviceId: more.deviceId ?? CAR,
  stream: StreamName.parse(more.stream ?? 'main'),
  epoch: Epoch.parse(more.epoch ?? 0),
  seq,
  canonicalSha256: digest,
});
const decide = (candidates: Candidate[], device = fresh()) => decideBatch(candidates, new Map([[CAR, device]]), NOW);

describe('decideBatch', () => {
  it('accepts the first record of a number, knows the same again, and calls another one replayed', () => {
    expect(decide([candidate(1, 'a'), candidate(1, 'a'), candidate(1, 'b'), candidate(2, 'c')])).toEqual([
      { verdict: 'accepted' },
      { verdict: 'duplicate' },
      { verdict: 'replayed' },
      { verdict: 'accepted' },
    ]);
  });

  it('leaves to the store what an earlier batch decided', () => {
    const device = fresh();
    decide([candidate(1), candidate(WINDOW_BITS + 1)], device);
    expect(decide([candidate(WINDOW_BITS + 1), candidate(1)], device)).toEqual([
      { verdict: 'undecided', otherwise: 'replayed' },
      { verdict: 'undecided', otherwise: 'too_old' },
    ]);
  });

  it('knows a record of the same batch again after the window has left it behind', () => {
    expect(decide([candidate(1, 'a'), candidate(5000), candidate(1, 'a'), candidate(1, 'b')])).toEqual([
      { verdict: 'accepted' },
      { verdict: 'accepted', skipped: [2, 5000 - WINDOW_BITS] },
      { verdict: 'duplicate' },
      { verdict: 'too_old' },
    ]);
  });

  it('reports a jump and refuses one beyond the hard limit, which moves nothing', () => {
    const device = fresh();
    const decisions = decide(
      [candidate(1), candidate(MAX_JUMP + 2), candidate(MAX_JUMP + 3 + HARD_LIMIT), candidate(MAX_JUMP + 3)],
      device,
    );
    expect(decisions).toEqual([
      { verdict: 'accepted' },
      { verdict: 'accepted', jumped: MAX_JUMP + 1, skipped: [2, MAX_JUMP + 2 - WINDOW_BITS] },
      { verdict: 'jump' },
      { verdict: 'accepted' },
    ]);
    expect(device.windows.get(StreamName.parse('main'))?.highest).toBe(MAX_JUMP + 3);
  });

  it('a ninth stream is refused, and refuses to be remembered', () => {
    const nine = Array.from({ length: 9 }, (_, index) => candidate(1, 'a', { stream: `s${index}` }));
    const device = fresh();
    expect(decide(nine, device).at(-1)).toEqual({ verdict: 'too_many_streams' });
    expect(device.windows.size).toBe(8);
  });

  it('a refused record registers no stream', () => {
    const device = fresh();
    expect(decide([candidate(HARD_LIMIT + 1, 'a', { stream: 'other' })], device)).toEqual([{ verdict: 'jump' }]);
    expect(device.windows.size).toBe(0);
  });

  it('a raise begins with empty windows and ends the epoch before it in the same batch', () => {
    const device = fresh();
    const decisions = decide([candidate(500), candidate(1, 'a', { epoch: 1 }), candidate(501)], device);
    expect(decisions).toEqual([
      { verdict: 'accepted' },
      { verdict: 'accepted', epochRaised: true },
      { verdict: 'stale_epoch' },
    ]);
    expect(device).toMatchObject({ epoch: 1, raisedAtMs: NOW });
  });

  it('a record that no window takes raises nothing', () => {
    const device = fresh();
    expect(decide([candidate(HARD_LIMIT + 1, 'a', { epoch: 1 })], device)).toEqual([{ verdict: 'jump' }]);
    expect(device).toMatchObject({ epoch: 0, raisedAtMs: undefined });
  });

  it('accepts each (stream, seq) once over any batches, and says duplicate exactly of the record accepted', () => {
    const anyRecord = fc.record({
      seq: fc.integer({ min: 1, max: 3000 }),
      digest: fc.constantFrom('a', 'b'),
      stream: fc.constantFrom('s1', 's2'),
    });
    fc.assert(
      fc.property(fc.array(fc.array(anyRecord, { maxLength: 20 }), { maxLength: 20 }), (batches) => {
        const device = fresh();
        const store = new Map<string, string>();
        for (const batch of batches) {
          const candidates = batch.map(({ seq, digest, stream }) => candidate(seq, digest, { stream }));
          const before = new Map(store);
          decide(candidates, device).forEach((decision, index) => {
            const { stream, seq, canonicalSha256 } = candidates[index]!;
            const key = `${stream} ${seq}`;
            const settled =
              decision.verdict === 'undecided' ? settle(decision, before.get(key) === canonicalSha256) : decision;
            if (settled.verdict === 'accepted') {
              expect(store.has(key)).toBe(false);
              store.set(key, canonicalSha256);
            }
            if (settled.verdict === 'duplicate') expect(store.get(key)).toBe(canonicalSha256);
            if (settled.verdict === 'replayed') expect(store.get(key)).not.toBe(canonicalSha256);
          });
        }
      }),
    );
  });
});
