import { createHash } from 'node:crypto';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import { Schedule } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import { afterFailure, type Failures, THROTTLES, type ThrottleScope, waitMs } from './throttle.js';

const SWEEP_MS = 600_000;
/** Rows that are kept at most; the oldest failures are forgotten first. */
export const MAX_FAILURE_ROWS = 100_000;
const FORGET_SECONDS = Math.max(...Object.values(THROTTLES).map(({ forgetSeconds }) => forgetSeconds));

/** Something that failures count against: `name`: of what, within its scope. */
export interface Source {
  readonly scope: ThrottleScope;
  readonly name: string;
}

interface Row {
  readonly key: Buffer;
  readonly count: number;
  readonly failed_at: Date;
}

/** Who has failed how often, in the database: all replicas count together. */
@Injectable()
export class Throttle implements OnApplicationBootstrap {
  constructor(
    private readonly database: Database,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(SWEEP_MS, 'failed sign-ins were not forgotten', () => this.sweep(new Date()));
  }

  /**
   * Lets an attempt go on, and counts it as failed for now: `forgive` takes that back. One that has to wait is not counted.
   * @throws DomainError `sign_in.slow_down`
   */
  async admit(sources: readonly Source[], now: Date): Promise<void> {
    const nowMs = now.getTime();
    const wait = await this.database.transaction(async (tx) => {
      const counted: { key: Buffer; failures: Failures }[] = [];
      let longest = 0;
      // In one order for everyone, so that two attempts never wait for each other.
      for (const { key, scope } of inOrder(sources)) {
        const failures = await this.lock(tx, key, now);
        longest = Math.max(longest, waitMs(failures, THROTTLES[scope], nowMs));
        counted.push({ key, failures: afterFailure(failures, THROTTLES[scope], nowMs) });
      }
      if (longest > 0) return longest;
      for (const { key, failures } of counted) {
        await tx.query('UPDATE sign_in_failures SET count = $2, failed_at = $3 WHERE key = $1', [
          key,
          failures.count,
          new Date(failures.failedAtMs),
        ]);
      }
      return 0;
    });
    if (wait > 0) throw new DomainError('sign_in.slow_down', { retryAfterSeconds: Math.ceil(wait / 1000) });
  }

  /** The attempt was right. A network is forgiven that one alone: who has an account must not clear the way for guesses at others'. */
  async forgive(sources: readonly Source[]): Promise<void> {
    for (const { key, scope } of inOrder(sources)) {
      if (scope === 'network')
        await this.database.query('UPDATE sign_in_failures SET count = greatest(count - 1, 0) WHERE key = $1', [key]);
      else await this.database.query('DELETE FROM sign_in_failures WHERE key = $1', [key]);
    }
  }

  /** Forgets what has been quiet for long, and the oldest beyond `maxRows`. */
  async sweep(now: Date, maxRows = MAX_FAILURE_ROWS): Promise<void> {
    const quietSince = new Date(now.getTime() - FORGET_SECONDS * 1000);
    await this.database.query('DELETE FROM sign_in_failures WHERE failed_at < $1', [quietSince]);
    await this.database.query(
      `DELETE FROM sign_in_failures WHERE key IN
        (SELECT key FROM sign_in_failures ORDER BY failed_at DESC OFFSET $1)`,
      [maxRows],
    );
  }

  private async lock(tx: EntityManager, key: Buffer, now: Date): Promise<Failures> {
    const [row]: Row[] = await tx.query(
      `INSERT INTO sign_in_failures (key, count, failed_at) VALUES ($1, 0, $2)
       ON CONFLICT (key) DO UPDATE SET count = sign_in_failures.count RETURNING key, count, failed_at`,
      [key, now],
    );
    return { count: row!.count, failedAtMs: row!.failed_at.getTime() };
  }
}

function inOrder(sources: readonly Source[]): { key: Buffer; scope: ThrottleScope }[] {
  return sources
    .map(({ scope, name }) => ({ scope, key: createHash('sha256').update(`${scope}/${name}`).digest() }))
    .sort((one, two) => Buffer.compare(one.key, two.key));
}
