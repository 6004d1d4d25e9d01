import { expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { type AggregatedDecision, DecisionAggregator, type DecisionFacts } from './decision-aggregator.js';

const LIMITS = { intervalMs: 10_000, maxSources: 100 };
const deny = (more: Partial<DecisionFacts> = {}): DecisionFacts => ({
  decision: 'deny',
  code: 'denylist.device',
  listener: 'vehicle',
  action: 'GET /x',
  deviceId: 'device-a',
  ...more,
});
const allow = (more: Partial<DecisionFacts> = {}): DecisionFacts => deny({ decision: 'allow', code: 'ok', ...more });

it('lets the first deny of a (code, source) out at once and counts the rest', () => {
  const aggregator = new DecisionAggregator(LIMITS);
  expect(aggregator.observe(deny(), 0)).toEqual({ ...deny(), count: 1, sinceMs: 0, atMs: 0 });
  expect(aggregator.observe(deny(), 1)).toBeUndefined();
  expect(aggregator.observe(deny({ action: 'GET /y' }), 2)).toBeUndefined();
  expect(aggregator.observe(deny({ code: 'denylist.key' }), 3)).toMatchObject({ count: 1 });
  expect(aggregator.observe(deny({ deviceId: 'device-b' }), 4)).toMatchObject({ count: 1 });
  expect(aggregator.flush(9999)).toEqual([]);
  expect(aggregator.flush(10_000)).toEqual([{ ...deny({ action: 'GET /y' }), count: 2, sinceMs: 0, atMs: 2 }]);
});

it('lets a deny out at once again after a whole silent interval', () => {
  const aggregator = new DecisionAggregator(LIMITS);
  aggregator.observe(deny(), 0);
  aggregator.flush(10_000);
  expect(aggregator.size).toBe(0);
  expect(aggregator.observe(deny(), 10_001)).toMatchObject({ count: 1 });
});

it('counts allows by action, and by operator', () => {
  const aggregator = new DecisionAggregator(LIMITS);
  for (const deviceId of ['device-a', 'device-b']) expect(aggregator.observe(allow({ deviceId }), 0)).toBeUndefined();
  for (const subject of ['op:1', 'op:2'])
    aggregator.observe(allow({ listener: 'operator', subject, deviceId: undefined }), 0);
  expect(aggregator.flush(10_000).map(({ count, subject }) => [count, subject])).toEqual([
    [1, undefined],
    [1, undefined],
    [1, 'op:1'],
    [1, 'op:2'],
  ]);
});

it('names no device for what several did, and shows one of them whole beside it', () => {
  const aggregator = new DecisionAggregator(LIMITS);
  const more = { traceId: 't', tokenId: 'j', latencyMs: 0.1 };
  for (const [at, deviceId] of ['device-a', 'device-b', 'device-b'].entries()) {
    aggregator.observe(allow({ deviceId, thumbprint: `of ${deviceId}`, ...more }), at);
  }
  expect(aggregator.drain(3)).toEqual([
    { ...allow({ deviceId: 'device-b', thumbprint: 'of device-b', ...more }), count: 1, sinceMs: 2, atMs: 2 },
    { decision: 'allow', code: 'ok', listener: 'vehicle', action: 'GET /x', count: 2, sinceMs: 0, atMs: 2 },
  ]);
});

it('bounds its memory: further sources share one bucket', () => {
  const aggregator = new DecisionAggregator({ ...LIMITS, maxSources: 2 });
  for (let n = 0; n < 1000; n += 1) aggregator.observe(deny({ deviceId: `device-${n}` }), 0);
  expect(aggregator.size).toBe(3);
  const [overflow] = aggregator.drain(1);
  expect(overflow).toMatchObject({ code: 'denylist.device', action: 'various', count: 997 });
  expect(overflow).not.toHaveProperty('deviceId');
});

test('loses no decision and counts none twice', () => {
  const step = fc.record({
    facts: fc.record({
      decision: fc.constantFrom('allow' as const, 'deny' as const),
      deviceId: fc.constantFrom('a', 'b', 'c', 'd'),
    }),
    waitMs: fc.nat(8000),
    flush: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step), fc.integer({ min: 1, max: 4 }), (steps, maxSources) => {
      const aggregator = new DecisionAggregator({ intervalMs: 10_000, maxSources });
      const out: AggregatedDecision[] = [];
      let now = 0;
      for (const { facts, waitMs, flush } of steps) {
        now += waitMs;
        const first = aggregator.observe({ ...deny(), ...facts }, now);
        if (first) out.push(first);
        if (flush) out.push(...aggregator.flush(now));
      }
      out.push(...aggregator.drain(now));
      for (const kind of ['allow', 'deny'] as const) {
        const counted = out.filter(({ decision }) => decision === kind).reduce((sum, { count }) => sum + count, 0);
        expect(counted).toBe(steps.filter(({ facts }) => facts.decision === kind).length);
      }
      for (const { sinceMs, atMs } of out) expect(sinceMs).toBeLessThanOrEqual(atMs);
    }),
  );
});
