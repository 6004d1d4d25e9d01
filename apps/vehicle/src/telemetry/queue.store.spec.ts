import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openStateDatabase } from '../agent/state-database.store.js';
import { LogStore } from '../log/log.store.js';
import { sealHead } from '../log/segment.js';
import { QueueStore, type SealedRecord } from './queue.store.js';

const open: DatabaseSync[] = [];
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'outrider-queue-'));
});
afterEach(() => {
  for (const database of open.splice(0)) if (database.isOpen) database.close();
  rmSync(directory, { recursive: true });
});

function database(): DatabaseSync {
  const opened = openStateDatabase(directory);
  open.push(opened);
  return opened;
}

const sealed = (seq: number): SealedRecord => ({ payload: `{"seq":${seq}}`, signature: 's', thumbprint: 't' });
const seal = async ({ nextSeq }: { nextSeq: number }): Promise<SealedRecord> => sealed(nextSeq);

describe('the queue', () => {
  it('gives out numbers in order, once, also to callers at the same time', async () => {
    const queue = new QueueStore(database());
    const records = await Promise.all(Array.from({ length: 50 }, () => queue.append(1, seal)));
    expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    expect(queue.position()).toEqual({ epoch: 0, nextSeq: 51 });
  });

  it('uses no number up for a record that could not be signed', async () => {
    const queue = new QueueStore(database());
    await expect(queue.append(1, () => Promise.reject(new Error('no key')))).rejects.toThrow('no key');
    expect(await queue.append(1, seal)).toMatchObject({ seq: 1 });
  });

  it('hands out the oldest first, within the limits, and one at least', async () => {
    const queue = new QueueStore(database());
    for (let n = 0; n < 5; n += 1) await queue.append(1, seal);
    expect(queue.batch(3, 1e6).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(queue.batch(3, 1).map(({ seq }) => seq)).toEqual([1]);
  });

  it('keeps what was held or refused, hands it out no more, and forgets only what was sent and sealed', async () => {
    const state = database();
    const [queue, log] = [new QueueStore(state), new LogStore(state)];
    for (let n = 0; n < 4; n += 1) await queue.append(1, seal);
    const states = ['sent', 'held', 'refused', 'queued'] as const;
    queue.settle(states.map((state, index) => ({ epoch: 0, seq: index + 1, state, verdict: 'v' })));
    expect(queue.batch(10, 1e6)).toMatchObject([{ seq: 4, attempts: 1 }]);
    expect(queue.prune(2)).toBe(0);
    log.add(sealHead('device-1', log.name, log.open(), log.end(), 2), 's', 't', 2);
    expect(queue.prune(2)).toBe(1);
    expect(queue.counts()).toEqual({ queued: 1, sent: 0, held: 1, refused: 1 });
  });

  it('settles a record once: a late second verdict changes nothing', async () => {
    const queue = new QueueStore(database());
    await queue.append(1, seal);
    queue.settle([{ epoch: 0, seq: 1, state: 'sent', verdict: 'accepted' }]);
    queue.settle([{ epoch: 0, seq: 1, state: 'refused', verdict: 'replayed' }]);
    expect(queue.counts()).toMatchObject({ sent: 1, refused: 0 });
  });

  it('begins a raised epoch at 1, holds what was still queued, and never goes back', async () => {
    const queue = new QueueStore(database());
    await queue.append(1, seal);
    expect(queue.raiseEpoch(2)).toBe(1);
    expect(queue.position()).toEqual({ epoch: 2, nextSeq: 1 });
    expect(queue.counts()).toMatchObject({ queued: 0, held: 1 });
    expect(() => queue.raiseEpoch(2)).toThrow(RangeError);
    expect(() => queue.raiseEpoch(1)).toThrow(RangeError);
  });
});

describe('the state', () => {
  it('belongs to one process: a second one is refused in words', () => {
    new QueueStore(database());
    expect(() => openStateDatabase(directory)).toThrow(/another agent is running/);
  });

  it('commits to the disk before it counts', () => {
    const opened = database();
    expect(opened.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
    expect(opened.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
  });

  it('is for its owner alone', () => {
    const inside = join(directory, 'new');
    openStateDatabase(inside).close();
    expect(statSync(inside).mode & 0o777).toBe(0o700);
  });
});

describe('after kill -9', () => {
  it('every number that was given out is there once, with its first content, and none is given out again', async () => {
    const committed = new Map<number, string>();
    const sent = new Set<number>();
    for (const round of ['1', '2', '3', '4', '5', '6']) {
      const { numbers, settled } = await killedWriter(round);
      for (const seq of numbers) {
        expect(committed.has(seq)).toBe(false);
        committed.set(seq, round);
      }
      for (const seq of settled) sent.add(seq);
    }
    expect(committed.size).toBeGreaterThan(50);
    const opened = database();
    const queue = new QueueStore(opened);
    const rows = opened.prepare('SELECT seq, payload, state FROM record ORDER BY seq').all() as {
      seq: number;
      payload: string;
      state: string;
    }[];
    // A kill between the commit and the word about it may leave one record more than was told, for each round.
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1));
    expect(rows.length - committed.size).toBeLessThanOrEqual(6);
    for (const [seq, round] of committed) {
      expect(JSON.parse(rows[seq - 1]?.payload ?? '')).toEqual({ seq, round });
    }
    for (const seq of sent) expect(rows[seq - 1]?.state).toBe('sent');
    expect(queue.position().nextSeq).toBe(rows.length + 1);
  });

  async function killedWriter(round: string): Promise<{ numbers: number[]; settled: number[] }> {
    const program = fileURLToPath(new URL('./queue-writer.fixture.js', import.meta.url));
    const child = spawn(process.execPath, [program, directory, round], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    while (said.split('\n').length < 20 && child.exitCode === null) await sleep(5);
    await sleep(Math.random() * 60);
    child.kill('SIGKILL');
    await ended;
    const lines = said.split('\n').slice(1, -1);
    return {
      numbers: lines.filter((line) => /^\d+$/.test(line)).map(Number),
      settled: lines.filter((line) => line.startsWith('sent ')).map((line) => Number(line.slice(5))),
    };
  }
});
