import { Injectable } from '@nestjs/common';
import { type Decision, decisionLogged } from '@outrider/contracts';
import { Database, Outbox } from '@outrider/platform/postgres';
import type { DecisionFilter, StoredDecision } from './decision-query.js';
import { ocsfDecision } from './ocsf.js';

interface Row {
  readonly [column: string]: unknown;
  readonly since: Date;
  readonly at: Date;
  readonly count: string;
}

const COLUMNS = `id, service, instance, decision, code, listener, action, device_id AS "deviceId", thumbprint, subject,
  remote_address AS "remoteAddress", detail, trace_id AS "traceId", token_id AS "tokenId", policies,
  latency_ms AS "latencyMs", count, since, at`;
const FILTER = `($1::text IS NULL OR device_id = $1) AND ($2::text IS NULL OR code = $2)
  AND ($3::text IS NULL OR service = $3) AND ($4::text IS NULL OR decision = $4)
  AND ($5::text IS NULL OR thumbprint = $5) AND ($6::text IS NULL OR token_id = $6)
  AND ($7::timestamptz IS NULL OR at >= $7) AND ($8::timestamptz IS NULL OR at < $8)`;

function filterValues({ device, code, service, decision, thumbprint, token, from, to }: DecisionFilter) {
  return [device, code, service, decision, thumbprint, token, from, to].map((value) => value ?? null);
}

/** The log. Append-only: the runtime role cannot change what it once wrote. Ids come in commit order, for those who read along. */
@Injectable()
export class DecisionLog {
  constructor(
    private readonly database: Database,
    private readonly outbox: Outbox,
  ) {}

  /** At least once in, once stored and told: `streamSequence` with the instance and its time names the message. */
  async add(decision: Decision, streamSequence: number): Promise<void> {
    const d = decision;
    await this.database.transaction(async (tx) => {
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('decisions', 0))`);
      const [row]: { id: string }[] = await tx.query(
        `INSERT INTO decisions (stream_sequence, service, instance, decision, code, listener, action, device_id, thumbprint,
           subject, remote_address, detail, trace_id, token_id, policies, latency_ms, count, since, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
         ON CONFLICT DO NOTHING RETURNING id`,
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
          d.tokenId ?? null,
          d.policies ?? null,
          d.latencyMs ?? null,
          d.count,
          d.since,
          d.at,
        ],
      );
      if (row) await this.outbox.add(tx, decisionLogged, ocsfDecision({ ...decision, id: row.id }));
    });
  }

  /** Newest first, by arrival; `before`: the id below which to go on. */
  find(filter: DecisionFilter, before: string | undefined, limit: number): Promise<StoredDecision[]> {
    const end = '($9::bigint IS NULL OR id < $9) ORDER BY id DESC LIMIT $10';
    return this.select(end, filter, before, limit);
  }

  /** Oldest first, those that came after the id `behind`. */
  since(filter: DecisionFilter, behind: string, limit: number): Promise<StoredDecision[]> {
    return this.select('id > $9::bigint ORDER BY id LIMIT $10', filter, behind, limit);
  }

  /** `0` where there is none. */
  async lastId(): Promise<string> {
    const [row] = await this.database.query<{ id: string }>('SELECT coalesce(max(id), 0) AS id FROM decisions');
    return row?.id ?? '0';
  }

  /** @returns how many ended, at most `most`. */
  async retire(most: number): Promise<number> {
    const [row] = await this.database.query<{ ended: number }>('SELECT retire_decisions($1) AS ended', [most]);
    return row?.ended ?? 0;
  }

  private async select(
    end: string,
    filter: DecisionFilter,
    id: string | undefined,
    limit: number,
  ): Promise<StoredDecision[]> {
    const values = [...filterValues(filter), id ?? null, limit];
    const rows = await this.database.query<Row>(`SELECT ${COLUMNS} FROM decisions WHERE ${FILTER} AND ${end}`, values);
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
