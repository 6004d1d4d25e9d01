import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from '@jest/globals';
import { sha256Hex } from '@outrider/crypto';
import fc from 'fast-check';
import { openStateDatabase } from '../agent/state-database.store.js';
import { QueueStore } from '../telemetry/queue.store.js';
import { asks, planDelivery, type StoredSegment } from './delivery.js';
import type { FetchOrder } from './fetch-order.js';
import { LogStore } from './log.store.js';
import { type ChainEnd, isDue, type LogRecord, MAX_RECORDS, nextRecords, sealHead } from './segment.js';

const record = (seq: number, epoch = 0, ts = 1000): LogRecord => ({ epoch, seq, ts, payload: `{"seq":${seq}}` });
const order = (ranges: [number, number][], epoch = 0): FetchOrder => ({
  id: '7f1c2c3e-5a0f-4d5c-9a3e-2f6f3a1b4c5d',
  nonce: 'n',
  stream: 'main',
  epoch,
  ranges,
  reason: 'gap',
  expires_at: '2026-01-01T00:00:00Z',
});

describe('sealing', () => {
  it('puts every record into one segment, in order, each segment following from the last', () => {
    const run = fc.record({ epoch: fc.nat(2), skip: fc.nat(2), size: fc.integer({ min: 1, max: 600 }) });
    fc.assert(
      fc.property(fc.array(run, { minLength: 1, maxLength: 4 }), (runs) => {
        let [epoch, seq] = [0, 1];
        let open = runs.flatMap(({ epoch: more, skip, size }) => {
          [epoch, seq] = more > 0 ? [epoch + more, 1] : [epoch, seq + skip];
          return Array.from({ length: size }, () => record(seq++, epoch));
        });
        let end: ChainEnd | undefined;
        while (open.length > 0) {
          const records = nextRecords(open.slice(0, MAX_RECORDS + 1));
          const sealed = sealHead('device-1', 'log-1', records, end, 2000);
          const head = JSON.parse(sealed.head);
          expect(head).toMatchObject({ segment: (end?.segment ?? 0) + 1, previous: end?.sha256 ?? null });
          expect(records.map((one) => one.seq)).toEqual(records.map((_, index) => head.seq + index));
          expect(new Set(records.map((one) => one.epoch)).size).toBe(1);
          open = open.slice(records.length);
          end = { segment: sealed.segment, sha256: sha256Hex(sealed.head) };
        }
      }),
      { numRuns: 50 },
    );
  });

  test.each<[string, LogRecord[], number, boolean]>([
    ['nothing', [], 0, false],
    ['a record just taken', [record(1)], 1001, false],
    ['one that has waited for a minute', [record(1)], 1060, true],
    ['a full segment', Array.from({ length: MAX_RECORDS }, (_, index) => record(index + 1)), 1001, true],
    ['an epoch that is over', [record(5), record(1, 1)], 1001, true],
  ])('%s', (_name, open, now, due) => {
    expect(isDue(open, now)).toBe(due);
  });

  const vector = join(import.meta.dirname, '../../../../vectors/offline-log/whole.json');
  it('makes the head that the protocol’s vector has', () => {
    expect(existsSync(vector)).toBe(true);
    const { segments } = JSON.parse(readFileSync(vector, 'utf8'));
    let end: ChainEnd | undefined;
    for (const { head, records, digests } of segments) {
      const own = (records as { seq: number }[]).map((one) => ({ ...record(one.seq), payload: canonical(one) }));
      expect(own.map(({ payload }) => sha256Hex(payload))).toEqual(digests);
      const sealed = sealHead('device-1', 'log-1', own, end, head.ts);
      expect(JSON.parse(sealed.head)).toEqual(head);
      end = { segment: sealed.segment, sha256: sealed.sha256 };
    }
  });
});

function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}

describe('a delivery', () => {
  const segment = (number: number, more: Partial<StoredSegment> = {}): StoredSegment => ({
    segment: number,
    epoch: 0,
    seq: number * 10,
    count: 10,
    head: '{}',
    sha256: '',
    signature: '',
    thumbprint: '',
    whole: true,
    announced: false,
    ...more,
  });
  const five = [1, 2, 3, 4, 5].map((number) => segment(number));

  test.each<[string, FetchOrder, StoredSegment[], object | undefined]>([
    ['of one segment', order([[25, 26]]), five, { first: 2, last: 2 }],
    [
      'of segments apart, with those between',
      order([
        [15, 15],
        [45, 49],
      ]),
      five,
      { first: 1, last: 4 },
    ],
    [
      'up to the newest head announced',
      order([[25, 26]]),
      five.with(3, segment(4, { announced: true })),
      { first: 2, last: 4 },
    ],
    ['after what was forgotten', order([[15, 35]]), five.with(1, segment(2, { whole: false })), { first: 3, last: 3 }],
    ['of nothing that there is', order([[100, 200]]), five, undefined],
    ['of another epoch', order([[15, 15]], 1), five, undefined],
  ])('%s', (_name, asked, segments, plan) => {
    expect(planDelivery(asked, segments)).toEqual(plan);
  });

  it('asks for a segment that holds one of its numbers', () => {
    expect([10, 19, 9, 20].map((seq) => asks(order([[seq, seq]]), segment(1)))).toEqual([true, true, false, false]);
  });
});

describe('the stored log', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'outrider-log-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('goes on after a crash where it was: name, chain, orders and their plan', async () => {
    const before = openStateDatabase(directory);
    const [queue, log] = [new QueueStore(before), new LogStore(before)];
    for (let n = 0; n < 5; n += 1) {
      await queue.append(1, async ({ nextSeq }) => ({
        payload: `{"seq":${nextSeq}}`,
        signature: 's',
        thumbprint: 't',
      }));
    }
    const sealed = sealHead('device-1', log.name, log.open(), log.end(), 2);
    log.add(sealed, 's', 't', 2);
    expect(() => log.add(sealed, 's', 't', 2)).toThrow('the log went on');
    expect(log.take([order([[1, 3]])])).toBe(true);
    expect(log.take([order([[1, 3]])])).toBe(false);
    log.plan(order([]).id, { first: 1, last: 1 });
    queue.settle([1, 2, 3, 5].map((seq) => ({ epoch: 0, seq, state: 'held', verdict: 'skewed' })));
    before.close();

    const after = openStateDatabase(directory);
    const again = new LogStore(after);
    expect(again.name).toBe(log.name);
    expect(again.end()).toEqual({ segment: 1, sha256: sealed.sha256 });
    expect(again.open()).toEqual([]);
    expect(again.held(8)).toEqual([
      {
        epoch: 0,
        ranges: [
          [1, 3],
          [5, 5],
        ],
      },
    ]);
    expect(again.orders()).toMatchObject([{ order: order([[1, 3]]), plan: { first: 1, last: 1 } }]);
    const results = [
      { epoch: 0, from: 1, to: 2, verdict: 'accepted' },
      { epoch: 0, from: 3, to: 3, verdict: 'replayed' },
    ];
    expect(again.finish(order([]).id, 'fulfilled', results)).toBe(2);
    expect(again.orders()).toEqual([]);
    expect(again.take([order([[1, 3]])])).toBe(false);
    const givenUp = (since: number) => again.countGivenUp(again.spanSince(since));
    expect([givenUp(0), givenUp(2)]).toEqual([0, 0]);
    expect(again.spanSince(0)).toEqual({ since: 0, epoch: 0, seq: 5 });
    const upTo3 = { since: 1, epoch: 0, seq: 3 };
    expect([again.count(upTo3), again.within(upTo3, 8)]).toEqual([3, [{ epoch: 0, ranges: [[1, 3]] }]]);
    const refused = { ...order([[2, 5]]), id: '8f1c2c3e-5a0f-4d5c-9a3e-2f6f3a1b4c5d' };
    again.take([refused]);
    expect(givenUp(0)).toBe(0);
    again.finish(refused.id, 'telemetry.log_edited');
    // 2 and 3 came with the order before.
    expect([givenUp(0), givenUp(2)]).toEqual([2, 0]);
    expect(new QueueStore(after).counts()).toEqual({ queued: 1, sent: 2, held: 1, refused: 1 });
    after.close();
  });
});
