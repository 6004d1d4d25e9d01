import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Suite } from '../suite/suite.client.js';
import { processSeconds, treeSeconds } from '../telemetry/processes.client.js';

/** What follows the last answer (events, their projection, decisions) is the work's own. */
const SETTLE_MS = 3000;
const REST_MS = 10_000;

/** CPU seconds by process of the suite; PostgreSQL's with all its backends. */
export type Spent = ReadonlyMap<string, number>;

function spent(suite: Suite): Spent {
  return new Map(
    [...suite.pids()].map(([name, pid]) => [
      name,
      name.startsWith('postgres') ? treeSeconds(pid) : processSeconds(pid),
    ]),
  );
}

/** CPU that work costs, by process, beside what they spend at rest: heartbeats, leases, timers. */
export class Meter {
  private constructor(
    private readonly suite: Suite,
    /** CPU seconds a second. */
    private readonly rest: Spent,
  ) {}

  /** Looks at a suite that nobody asks anything. */
  static async atRest(suite: Suite): Promise<Meter> {
    await sleep(SETTLE_MS);
    const before = spent(suite);
    await sleep(REST_MS);
    const after = spent(suite);
    return new Meter(
      suite,
      new Map([...after].map(([name, seconds]) => [name, (seconds - (before.get(name) ?? 0)) / (REST_MS / 1000)])),
    );
  }

  async of(work: () => Promise<void>): Promise<Spent> {
    await sleep(SETTLE_MS);
    const before = spent(this.suite);
    const startedAt = performance.now();
    await work();
    await sleep(SETTLE_MS);
    const elapsed = (performance.now() - startedAt) / 1000;
    return new Map(
      [...spent(this.suite)].map(([name, seconds]) => {
        const own = seconds - (before.get(name) ?? 0) - (this.rest.get(name) ?? 0) * elapsed;
        return [name, Math.max(0, own)];
      }),
    );
  }
}

/** Of a process, in bytes. */
export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

/** Of all files below a folder, in bytes. */
export function folderBytes(folder: string): number {
  const sizes = readdirSync(folder, { recursive: true }).map((name) => {
    try {
      const stat = statSync(join(folder, String(name)));
      return stat.isFile() ? stat.size : 0;
    } catch {
      return 0; // gone meanwhile
    }
  });
  return sizes.reduce((sum, one) => sum + one, 0);
}
