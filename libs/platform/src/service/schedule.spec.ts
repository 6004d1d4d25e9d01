import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { pino } from 'pino';
import { Schedule } from './schedule.service.js';

const lines: string[] = [];
const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });

it('runs again after a failure, never twice at a time, and a stop waits for the round in hand', async () => {
  const schedule = new Schedule(logger);
  let [rounds, atOnce, most, ended] = [0, 0, 0, 0];
  const now = schedule.every(5, 'the probe waits', async () => {
    rounds += 1;
    atOnce += 1;
    most = Math.max(most, atOnce);
    await sleep(20);
    atOnce -= 1;
    ended += 1;
    if (rounds === 1) throw new Error('once');
  });
  now();
  now();
  while (rounds < 3) await sleep(5);
  const stop = schedule.beforeApplicationShutdown();
  await stop;
  expect(ended).toBe(rounds);
  await sleep(30);
  now();
  expect({ most, ended, rounds }).toEqual({ most: 1, ended: rounds, rounds: ended });
  expect(rounds).toBeGreaterThan(2);
  expect(lines.filter((line) => line.includes('the probe waits'))).toHaveLength(1);
});
