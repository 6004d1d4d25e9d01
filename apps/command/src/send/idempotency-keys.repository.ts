import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { KeyClaim } from '../command/new-commands.repository.js';

/** How many at a time: a sweep must not hold up those who send. */
const SWEEP = 1000;

/** The answer to a key of a version that kept none: the command as it was accepted. */
const EARLIER = `SELECT json_build_object('id', c.id, 'device_id', c.device_id, 'name', c.name, 'parameters', c.parameters,
    'critical', c.critical, 'state', 'queued', 'requested_by', c.requested_by, 'created_at', ${iso('c.created_at')},
    'expires_at', ${iso('c.expires_at')}, 'timeout', c.timeout_seconds)::text
  FROM commands c WHERE c.id = k.command_id`;

function iso(column: string): string {
  return `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** Which answers keys give, each to its own operator. */
@Injectable()
export class IdempotencyKeys {
  constructor(private readonly database: Database) {}

  /**
   * The kept answer; undefined: the key is free, or has run out. `oldest`: when the oldest that still counts was made.
   * @throws DomainError `command.idempotency_mismatch`
   */
  async find(by: string, key: string, fingerprint: string, oldest: Date): Promise<string | undefined> {
    const [row] = await this.database.query<{ body_sha256: string; answer: string }>(
      `SELECT body_sha256, coalesce(answer, (${EARLIER})) AS answer FROM idempotency_keys k
       WHERE requested_by = $1 AND key = $2 AND created_at >= $3`,
      [by, key, oldest],
    );
    if (row && row.body_sha256 !== fingerprint) throw new DomainError('command.idempotency_mismatch');
    return row?.answer;
  }

  /** Takes the key for what `tx` stores; false where it is taken. Waits for another's commit on it. */
  async claim(tx: EntityManager, { by, key, fingerprint, answer, at }: KeyClaim): Promise<boolean> {
    const claimed: unknown[] = await tx.query(
      `INSERT INTO idempotency_keys (requested_by, key, body_sha256, answer, created_at) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT DO NOTHING RETURNING key`,
      [by, key, fingerprint, answer, at],
    );
    return claimed.length === 1;
  }

  /** Makes a key free that has run out and was not swept yet. */
  async release(by: string, key: string, oldest: Date): Promise<void> {
    await this.database.query('DELETE FROM idempotency_keys WHERE requested_by = $1 AND key = $2 AND created_at < $3', [
      by,
      key,
      oldest,
    ]);
  }

  /** Forgets keys older than `oldest`; returns how many, at most `SWEEP`. */
  async sweep(oldest: Date): Promise<{ readonly forgotten: number; readonly more: boolean }> {
    const rows = await this.database.query<{ n: number }>(
      `WITH gone AS (DELETE FROM idempotency_keys WHERE (requested_by, key) IN (
         SELECT requested_by, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)
         AND created_at < $1 RETURNING 1)
       SELECT count(*)::int AS n FROM gone`,
      [oldest, SWEEP],
    );
    const forgotten = rows[0]?.n ?? 0;
    return { forgotten, more: forgotten === SWEEP };
  }
}
