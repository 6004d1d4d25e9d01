/** The tests beside the code: pure ones, and those against a real PostgreSQL and NATS. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from '../local/child.ts';
import { findNats } from '../local/nats-binary.ts';
import { isFree } from '../local/ports.ts';
import { postgresChild, preparePostgres, SUPERUSER, waitForPostgres } from '../local/postgres.ts';
import { postgresPlaces, type Settings } from '../local/settings.ts';
import { runJest } from './jest.ts';
import type { Tally } from './tally.ts';

const FIRST_PORT = 25_432;

/** `home`: a temporary folder; `filters`: patterns of test paths, all without any. */
export async function runUnitTests(tally: Tally, settings: Settings, filters: readonly string[]): Promise<void> {
  const places = postgresPlaces(settings, randomBytes(6).toString('hex'));
  const port = await firstFree(FIRST_PORT);
  const password = randomBytes(16).toString('hex');
  const cluster = { ...places, port, password, logFile: join(settings.home, 'postgres.log'), durable: false };
  await preparePostgres(cluster);
  const postgres = new Child(postgresChild(cluster), console.error, () => {});
  const url = `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`;
  try {
    postgres.start();
    const deadline = Date.now() + 30_000;
    await waitForPostgres(url, () => Date.now() > deadline);
    const nats = findNats(console.error);
    await runJest(tally, {
      name: 'tests beside the code',
      // More than two cores' worth: much of a database's spec is waiting. libs/testing parts its ports among four.
      args: ['--maxWorkers=3', ...filters],
      env: {
        OUTRIDER_TEST_PG_URL: url,
        ...(nats.kind === 'process' ? { OUTRIDER_TEST_NATS_SERVER: nats.program } : {}),
      },
      resultFile: join(settings.home, 'unit.json'),
    });
  } finally {
    await postgres.stop();
    rmSync(places.data, { recursive: true, force: true });
  }
}

async function firstFree(from: number): Promise<number> {
  for (let port = from; ; port += 1) if (await isFree(port)) return port;
}
