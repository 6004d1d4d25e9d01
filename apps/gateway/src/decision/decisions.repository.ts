import { Injectable } from '@nestjs/common';
import type { Decision } from '@outrider/contracts';
import { Database } from '@outrider/platform/postgres';
import type { DecisionQuery, StoredDecision } from './decision-query.js';

interface Row {
  readonly [column: string]: unknown;
  readonly since: Date;
  readonly at: Date;
  readonly count: string;
}

/** The log. Append-only: the runtime role cannot change what it once wrote. */
@Injectable()
export class DecisionLog {
  constructor(private readonly database: Database) {}

  /** At least once in, once stored: `streamSequence` with the instance and its time names the message. */
  async add(decision: Decision, streamSequence: number): Promise<void> {
    const d = decision;
    await this.database.query(
      `INSERT INTO decisions (stream_sequence, service, instance, decision, code, listener, action, device_id, thumbprint,
         subject, remote_address, detail, trace_id, count, since, at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING`,
      [
        streamSequence,
        d.service,
        d.instance,
        d.decision,
        d.code,
        d.listener,
        d.action,
        d.deviceId ?? null,
        d.thumbprint ?? null,
        d.subject ?? null,
        d.remoteAddress ?? null,
        d.detail ?? null,
        d.traceId ?? null,
        d.count,
        d.since,
        d.at,
      ],
    );
  }

  /** Newest first, by arrival; `after` = the id below which to go on. */
  async find({ device, code, service, decision, after }: DecisionQuery, limit: number): Promise<StoredDecision[]> {
    const rows = await this.database.query<Row>(
      `SELECT id, service, instance, decision, code, listener, action, device_id AS "deviceId", thumbprint, subject,
         remote_address AS "remoteAddress", detail, trace_id AS "traceId", count, since, at
       FROM decisions
       WHERE ($1::text IS NULL OR device_id = $1) AND ($2::text IS NULL OR code = $2)
         AND ($3::text IS NULL OR service = $3) AND ($4::bigint IS NULL OR id < $4)
         AND ($5::text IS NULL OR decision = $5)
       ORDER BY id DESC LIMIT $6`,
      [device ?? null, code ?? null, service ?? null, after ?? null, decision ?? null, limit],
    );
    return rows.map(decisionOf);
  }
}

function decisionOf(row: Row): StoredDecision {
  const present = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
  return {
    ...present,
    count: Number(row.count),
    since: row.since.toISOString(),
    at: row.at.toISOString(),
  } as StoredDecision;
}
