import { Injectable } from '@nestjs/common';
import type { ElevatedScope } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { IssuedToken } from '../denied-tokens/issued-token.js';
import type { Elevation, ElevationQuery, StoredState } from './elevation.js';

interface Row {
  readonly elevation_id: string;
  readonly account_id: string;
  readonly requested_identity: string;
  readonly identity: string;
  readonly roles: string[];
  readonly keyed_by: string[];
  readonly scope: ElevatedScope;
  readonly reason: string;
  readonly duration_seconds: number;
  readonly state: StoredState;
  readonly requested_at: Date;
  readonly request_expires_at: Date;
  readonly decided_by: string | null;
  readonly decided_at: Date | null;
  readonly decision_reason: string | null;
  readonly ends_at: Date | null;
  readonly revoked_by: string | null;
  readonly revoked_at: Date | null;
  readonly revocation_reason: string | null;
}

/** What one step did. `why`: in the words of who took it. */
export interface ElevationEvent {
  readonly event: 'requested' | 'approved' | 'rejected' | 'revoked';
  readonly who: string;
  readonly why: string | null;
  readonly at: Date;
}

const SELECT =
  'SELECT e.*, a.identity, a.roles, a.keyed_by FROM elevations e JOIN operator_accounts a ON a.id = e.account_id';

/** Elevations and their history. */
@Injectable()
export class Elevations {
  constructor(private readonly database: Database) {}

  async add(tx: EntityManager, elevation: Elevation): Promise<void> {
    await tx.query(
      `INSERT INTO elevations (elevation_id, account_id, requested_identity, scope, reason, duration_seconds, state,
         requested_at, request_expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        elevation.elevationId,
        elevation.accountId,
        elevation.requestedIdentity,
        elevation.scope,
        elevation.reason,
        elevation.durationSeconds,
        elevation.state,
        elevation.requestedAt,
        elevation.requestExpiresAt,
      ],
    );
  }

  /** Of a row that `mustLock` has locked. */
  async save(tx: EntityManager, elevation: Elevation): Promise<void> {
    await tx.query(
      `UPDATE elevations SET state = $2, decided_by = $3, decided_at = $4, decision_reason = $5, ends_at = $6,
         revoked_by = $7, revoked_at = $8, revocation_reason = $9 WHERE elevation_id = $1`,
      [
        elevation.elevationId,
        elevation.state,
        elevation.decidedBy,
        elevation.decidedAt,
        elevation.decisionReason,
        elevation.endsAt,
        elevation.revokedBy,
        elevation.revokedAt,
        elevation.revocationReason,
      ],
    );
  }

  async note(tx: EntityManager, elevationId: string, { event, who, why, at }: ElevationEvent): Promise<void> {
    await tx.query('INSERT INTO elevation_history (elevation_id, event, who, why, at) VALUES ($1, $2, $3, $4, $5)', [
      elevationId,
      event,
      who,
      why,
      at,
    ]);
  }

  /** @throws DomainError `elevation.not_found` */
  async mustFind(elevationId: string): Promise<Elevation> {
    return one(await this.database.query<Row>(`${SELECT} WHERE elevation_id = $1`, [elevationId]));
  }

  /** One that may be there. Until the transaction ends nobody else makes it. */
  async findAlone(tx: EntityManager, elevationId: string): Promise<Elevation | undefined> {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [elevationId]);
    const rows: Row[] = await tx.query(`${SELECT} WHERE elevation_id = $1`, [elevationId]);
    return rows.length === 0 ? undefined : one(rows);
  }

  /** @throws DomainError `elevation.not_found` */
  async mustLock(tx: EntityManager, elevationId: string): Promise<Elevation> {
    return one(await tx.query(`${SELECT} WHERE elevation_id = $1 FOR UPDATE OF e`, [elevationId]));
  }

  /** Grants of an account, held against their revocation until the transaction ends: a token is recorded before or never. */
  async heldGrants(tx: EntityManager, accountId: string): Promise<Elevation[]> {
    const rows: Row[] = await tx.query(
      `${SELECT} WHERE account_id = $1 AND state = 'approved' AND ends_at > now() FOR SHARE OF e`,
      [accountId],
    );
    return rows.map(fromRow);
  }

  /** Newest first, one more than `limit` where there are more. */
  async page({ limit, after }: ElevationQuery): Promise<Elevation[]> {
    const [ms, id] = after?.split('.') ?? [];
    const rows = await this.database.query<Row>(
      `${SELECT} WHERE $1::timestamptz IS NULL OR (requested_at, elevation_id) < ($1, $2::uuid)
       ORDER BY requested_at DESC, elevation_id DESC LIMIT $3`,
      [ms === undefined ? null : new Date(Number(ms)), id ?? null, limit + 1],
    );
    return rows.map(fromRow);
  }

  /** Requests of the account that wait for a decision. */
  async countOpen(tx: EntityManager, accountId: string, now: Date): Promise<number> {
    const [row]: { open: number }[] = await tx.query(
      `SELECT count(*)::int AS open FROM elevations
       WHERE account_id = $1 AND state = 'requested' AND request_expires_at > $2`,
      [accountId, now],
    );
    return row?.open ?? 0;
  }

  history(elevationId: string): Promise<ElevationEvent[]> {
    return this.database.query<ElevationEvent>(
      'SELECT event, who, why, at FROM elevation_history WHERE elevation_id = $1 ORDER BY id',
      [elevationId],
    );
  }

  /** Tokens of the elevation that have not ended. */
  async liveTokens(tx: EntityManager, elevationId: string, now: Date): Promise<IssuedToken[]> {
    return tx.query(
      'SELECT jti, expires_at AS "expiresAt" FROM operator_tokens WHERE elevation_id = $1 AND expires_at > $2',
      [elevationId, now],
    );
  }
}

function one(rows: readonly Row[]): Elevation {
  const [row] = rows;
  if (!row) throw new DomainError('elevation.not_found');
  return fromRow(row);
}

function fromRow(row: Row): Elevation {
  return {
    elevationId: row.elevation_id,
    accountId: row.account_id,
    requestedIdentity: row.requested_identity,
    identity: row.identity,
    roles: row.roles,
    keyedBy: row.keyed_by,
    scope: row.scope,
    reason: row.reason,
    durationSeconds: row.duration_seconds,
    state: row.state,
    requestedAt: row.requested_at,
    requestExpiresAt: row.request_expires_at,
    decidedBy: row.decided_by,
    decidedAt: row.decided_at,
    decisionReason: row.decision_reason,
    endsAt: row.ends_at,
    revokedBy: row.revoked_by,
    revokedAt: row.revoked_at,
    revocationReason: row.revocation_reason,
  };
}
